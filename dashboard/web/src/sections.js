/**
 * The groups of charts: each can be folded away, and stays so. What a host lacks is said in one line.
 */

import { element, setText } from "./dom.js";
import { Panel } from "./panel.js";
import { SECTIONS } from "./panels.js";
import { recall, remember } from "./storage.js";

/**
 * @typedef {import("./panel.js").Scene} Scene
 * @typedef {import("./panels.js").SectionKind} SectionKind
 * @typedef {import("./view.js").View} View
 */

const FOLDED_KEY = "hostcast.folded";

export class Sections {
  #scene;
  #sections;
  #absent = element("p", { class: "absent", testid: "absent", hidden: true });
  #revision = 0;
  /** To be rebuilt. @type {Section[]} */
  #stale = [];
  /** The panel that was drawn last. */
  #next = -1;

  /**
   * @param {HTMLElement} parent
   * @param {Scene} scene
   * @param {string | null} only  the id of a chart, where just that one is wanted
   */
  constructor(parent, scene, only) {
    this.#scene = scene;
    this.#sections = SECTIONS.map((kind) => new Section(kind, scene, only));
    parent.append(...this.#sections.map(({ root }) => root), ...(only ? [] : [this.#absent]));
  }

  /**
   * @param {View} view
   * @param {number} until  by the page's clock: what is not done then goes on with the next picture
   * @param {boolean} everything  also what is out of sight
   * @returns {boolean} whether that is all
   */
  draw(view, until, everything) {
    const { store } = this.#scene;
    // Before the first sample no chart pretends to have something.
    if (store.revision !== this.#revision && store.rows.samples > 0) {
      this.#revision = store.revision;
      this.#stale = [...this.#sections];
    }
    const panels = this.#visible();
    let left = panels.length;
    // Goes on where the last picture stopped.
    for (; left > 0 && performance.now() < until; left -= 1) {
      this.#next = (this.#next + 1) % panels.length;
      panels[this.#next].draw(view, everything);
    }
    // One with each picture, whose charts are then on it: the first chart does not wait for the last to be built.
    while (this.#stale.length > 0) {
      this.#stale.shift()?.rebuild();
      if (this.#stale.length === 0) {
        this.#tellMissing();
      } else if (!everything) {
        break;
      }
    }
    return this.#stale.length === 0 && left === 0;
  }

  /**
   * @param {boolean} texts  whether it is time to write numbers
   */
  tell(texts) {
    for (const panel of this.#visible()) {
      panel.tell(texts);
    }
  }

  #tellMissing() {
    const missing = this.#sections.flatMap(({ missing }) => missing);
    setText(this.#absent, `Not on this host, or turned off: ${missing.join(", ").toLowerCase()}.`);
    this.#absent.hidden = missing.length === 0;
  }

  /** Has each chart take the size that it has at this moment. */
  measure() {
    for (const panel of this.#visible()) {
      panel.measure();
    }
  }

  /** How much time the finest chart in sight shows with a pixel. */
  get pixelMs() {
    return this.#visible().reduce((least, panel) => Math.min(least, panel.pixelMs), Infinity);
  }

  /**
   * Unfolds, scrolls to and focuses a chart.
   * @param {string} id
   */
  show(id) {
    for (const section of this.#sections) {
      const panel = section.panels.get(id);
      if (panel) {
        section.root.open = true;
        panel.focus();
      }
    }
  }

  #visible() {
    return this.#sections.flatMap(({ root, panels }) => (root.open && !root.hidden ? [...panels.values()] : []));
  }
}

class Section {
  root;
  /** By id, in their order. @type {Map<string, Panel>} */
  panels = new Map();
  /** Titles of those that this host does not have. @type {string[]} */
  missing = [];
  #kind;
  #scene;
  #only;
  #grid = element("div", { class: "charts" });

  /**
   * @param {SectionKind} kind
   * @param {Scene} scene
   * @param {string | null} only
   */
  constructor(kind, scene, only) {
    this.#kind = kind;
    this.#scene = scene;
    this.#only = only;
    this.root = foldable(kind.id, kind.title, this.#grid);
    this.root.open ||= only !== null;
  }

  rebuild() {
    const { store } = this.#scene;
    const kinds = this.#kind.panels(store).filter(({ id }) => this.#only === null || id === this.#only);
    const present = kinds.filter((kind) => kind.picture(store) !== null);
    this.missing = store.revision === 0 ? [] : kinds.filter((kind) => !present.includes(kind)).map(({ title }) => title);
    const before = this.panels;
    this.panels = new Map(present.map((kind) => [kind.id, before.get(kind.id) ?? new Panel(kind, this.#scene)]));
    const roots = [...this.panels.values()].map(({ root }) => root);
    if (roots.some((root, at) => this.#grid.children[at] !== root) || roots.length !== this.#grid.children.length) {
      this.#grid.replaceChildren(...roots);
    }
    this.root.hidden = roots.length === 0;
  }
}

/**
 * A part of the page with a heading that folds it, remembered.
 * @param {string} id
 * @param {string} title
 * @param {HTMLElement} content
 */
export function foldable(id, title, content) {
  const root = element("details", { class: "section", testid: `section-${id}`, hidden: true }, [
    element("summary", {}, [element("h2", { text: title })]),
    content,
  ]);
  root.open = !folded().includes(id);
  root.addEventListener("toggle", () => {
    const others = folded().filter((one) => one !== id);
    remember(FOLDED_KEY, root.open ? others.join() : [...others, id].join());
  });
  return root;
}

function folded() {
  return (recall(FOLDED_KEY) ?? "").split(",").filter(Boolean);
}
