/**
 * Filesystems as bars: they change too slowly for a line to say anything.
 */

import { element, setText } from "./dom.js";
import { readingOf } from "./lines.js";
import { named, valuesOf } from "./selection.js";
import { bytes, percent, text } from "./units.js";

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./view.js").View} View
 * @typedef {import("./rows.js").Column} Column
 *
 * @typedef {object} Bar
 * @property {HTMLElement} root
 * @property {HTMLElement} fill
 * @property {HTMLElement} figures
 * @property {HTMLElement} meter
 * @property {Column[]} used
 * @property {Column[]} free
 * @property {Column[]} limit
 */

const USAGE = "system.filesystem.usage";
const MOUNTPOINT = "system.filesystem.mountpoint";
const STATE = "system.filesystem.state";

/** From here on a bar is marked, and says so in words. */
const NEARLY_FULL = 0.9;

export class Filesystems {
  #store;
  #list = element("ul", { class: "bars" });
  #card;
  #revision = 0;
  /** @type {Bar[]} */
  #bars = [];

  /**
   * @param {HTMLElement} parent
   * @param {Store} store
   */
  constructor(parent, store) {
    this.#store = store;
    this.#card = element(
      "article",
      { class: "card", testid: "filesystems", hidden: true, attributes: { "aria-labelledby": "title-filesystems" } },
      [
        element("header", { class: "card-head" }, [
          element("h2", { text: "Filesystems", attributes: { id: "title-filesystems" } }),
        ]),
        this.#list,
      ],
    );
    parent.append(this.#card);
  }

  /** @param {View} view */
  draw(view) {
    const { rows, revision } = this.#store;
    if (revision !== this.#revision) {
      this.#revision = revision;
      this.#rebuild();
    }
    for (const bar of this.#bars) {
      const read = (/** @type {Column[]} */ columns) =>
        view.last < 0 ? NaN : readingOf(columns, rows, view.last);
      const used = read(bar.used);
      // As df does it: what only root may use counts on neither side.
      const usable = Number.isNaN(read(bar.free)) ? read(bar.limit) : used + read(bar.free);
      const ratio = usable > 0 ? used / usable : NaN;
      const full = ratio >= NEARLY_FULL;
      bar.root.hidden = Number.isNaN(used);
      bar.root.classList.toggle("bar-full", full);
      bar.fill.style.width = `${Math.min(100, ratio * 100 || 0)}%`;
      bar.meter.setAttribute("aria-valuenow", (ratio * 100 || 0).toFixed(0));
      const state = full ? "nearly full · " : "";
      setText(
        bar.figures,
        `${state}${text(bytes(used))} used · ${text(bytes(usable - used))} free · ${text(percent(ratio))}`,
      );
    }
    this.#card.hidden = this.#bars.every(({ root }) => root.hidden);
  }

  #rebuild() {
    const columns = [...this.#store.columns.values()];
    const usage = named(columns, USAGE);
    const limits = named(columns, "system.filesystem.limit");
    this.#bars = valuesOf([...usage, ...limits], MOUNTPOINT).map((mountpoint) => {
      /** @param {string} state */
      const inState = (state) => named(usage, USAGE, { [MOUNTPOINT]: mountpoint, [STATE]: state });
      const fill = element("div", { class: "bar-fill" });
      const figures = element("span", { class: "bar-figures", text: "–" });
      const meter = element(
        "div",
        {
          class: "bar-track",
          attributes: { role: "meter", "aria-label": mountpoint, "aria-valuemin": "0", "aria-valuemax": "100" },
        },
        [fill],
      );
      const root = element("li", { class: "bar" }, [
        element("span", { class: "bar-label", text: mountpoint }),
        figures,
        meter,
      ]);
      return {
        root,
        fill,
        figures,
        meter,
        used: inState("used"),
        free: inState("free"),
        limit: named(limits, "system.filesystem.limit", { [MOUNTPOINT]: mountpoint }),
      };
    });
    this.#list.replaceChildren(...this.#bars.map(({ root }) => root));
  }
}
