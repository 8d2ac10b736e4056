/**
 * A card with one chart. It rebuilds when the series that it shows have changed, redraws when its
 * window has moved by a pixel, and does neither while it is scrolled out of sight.
 */

import { element, setText } from "./dom.js";
import { saveCsv, savePng } from "./export.js";
import { listen } from "./gestures.js";
import { HeatChart } from "./heatchart.js";
import { HeatLegend } from "./heatlegend.js";
import { Legend } from "./legend.js";
import { drawLines } from "./linechart.js";
import { Plot } from "./plot.js";
import { reasonText } from "./reasons.js";
import { Runs } from "./runs.js";
import { clockTime, zonedTime } from "./units.js";
import { snapped } from "./view.js";

/** So far from being in sight a chart is drawn already. */
const NEAR_PIXELS = 200;

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./view.js").View} View
 * @typedef {import("./rows.js").Column} Column
 * @typedef {import("./linechart.js").Picture} Picture
 *
 * @typedef {object} PanelKind
 * @property {string} id
 * @property {string} title
 * @property {boolean} [small]
 * @property {(store: Store) => Picture | null} picture  null where this host has nothing of the kind
 * @property {(store: Store) => Column[]} [heat]  rows of a heat map, which is shown unless lines are asked for
 * @property {(store: Store, row: number) => string} [note]  a remark beside the title, or ""
 *
 * What all panels share and none may change.
 * @typedef {object} Scene
 * @property {Store} store
 * @property {import("./shown.js").Shown} shown
 * @property {import("./store.js").Break[]} waiting  the stretch at the end in which nothing came
 * @property {number} until  by the page's clock: new charts are not on this picture any more, but on the next
 * @property {number} look  grows when the theme or a unit has changed
 * @property {() => void} refresh  has everything drawn soon that is in sight and not as it should be
 */

export class Panel {
  kind;
  root;
  #runs = new Runs([]);
  /** @type {import("./runs.js").Figures[]} */
  #figures = [];
  #time = element("span", { class: "card-time" });
  #note = element("span", { class: "card-note" });
  #side = element("div", { class: "card-side" });
  #body;
  #lines = element("button", {
    class: "button quiet",
    text: "Lines",
    hidden: true,
    attributes: { type: "button", "aria-pressed": "false" },
  });
  #plot;
  #legend;
  #heatLegend = new HeatLegend();
  /** @type {Picture | null} */
  #picture = null;
  /** @type {Column[] | null} */
  #cores = null;
  /** @type {HeatChart | null} */
  #heat = null;
  #revision = 0;
  /** Null until the browser has said so, which is one picture after it has told the size. @type {boolean | null} */
  #inSight = null;
  #isDrawn = false;
  /** Whether anything was written since it was built, or came in sight. */
  #isTold = false;
  #key = "";
  /** What `rows.gone` was when it was drawn. */
  #gone = 0;
  #pointed = "";
  /** @type {View | null} the newest that was asked for */
  #view = null;
  /** @type {Scene} */
  #scene;

  /**
   * @param {PanelKind} kind
   * @param {Scene} scene
   */
  constructor(kind, scene) {
    this.kind = kind;
    this.#scene = scene;
    const { shown } = scene;
    const titleId = `title-${kind.id}`;
    this.#body = element("div", {
      class: "plot",
      attributes: { role: "img", tabindex: "0", "aria-labelledby": titleId, "aria-describedby": `table-${kind.id}` },
    });
    this.#legend = new Legend({
      toggle: (label) => shown.toggle(`${kind.id}:${label}`),
      point: (label) => {
        this.#pointed = label;
        this.#redraw();
      },
    });
    this.#side.id = `table-${kind.id}`;
    this.#lines.addEventListener("click", () => {
      this.#lines.setAttribute("aria-pressed", String(this.#lines.ariaPressed !== "true"));
      this.#revision = 0;
      this.#redraw();
    });
    const csv = element("button", { class: "button quiet", text: "CSV", attributes: { type: "button" } });
    const png = element("button", { class: "button quiet", text: "PNG", attributes: { type: "button" } });
    csv.addEventListener("click", () => this.#picture && saveCsv(this.#file(), this.#drawnLines(), scene.store, this.#plot.view));
    png.addEventListener("click", () =>
      savePng(this.#file(), this.#plot, kind.title, scene.store, this.#cores ? [] : this.#drawnLines()),
    );
    for (const [button, what] of /** @type {const} */ ([[csv, "values"], [png, "picture"]])) {
      button.setAttribute("aria-label", `${kind.title}: save the ${what} as ${button.textContent}`);
      button.title = `Save the ${what} of what is visible`;
    }
    this.root = element(
      "article",
      { class: kind.small ? "card card-small" : "card", testid: `chart-${kind.id}`, attributes: { "aria-labelledby": titleId } },
      [
        element("header", { class: "card-head" }, [
          element("h3", { text: kind.title, attributes: { id: titleId } }),
          this.#note,
          this.#time,
          element("span", { class: "card-actions" }, [this.#lines, csv, png]),
        ]),
        element("div", { class: "card-main" }, [this.#body, this.#side]),
      ],
    );
    this.#plot = new Plot(this.#body, () => {
      const isNew = this.#inSight === null;
      this.#inSight ??= isNear(this.root);
      // Another size has cleared the canvas, also of a chart that is out of sight.
      this.#key = "";
      if (isNew && performance.now() > scene.until) {
        scene.refresh();
      } else {
        this.#redraw();
      }
    });
    listen(this.#body, this.#plot, shown);
    new IntersectionObserver(([entry]) => {
      this.#inSight = entry.isIntersecting;
      this.#isTold = false;
      scene.refresh();
    }, { rootMargin: `${NEAR_PIXELS}px` }).observe(this.root);
  }

  /**
   * @param {View} view
   * @param {boolean} [everything]  also what is out of sight
   */
  draw(view, everything = false) {
    this.#view = view;
    this.#build();
    this.#isDrawn = (this.#inSight === true || everything) && this.#picture !== null && this.#plot.pixels >= 20;
    if (!this.#isDrawn) {
      return;
    }
    const { store, shown, look, waiting } = this.#scene;
    const own = snapped(view, store.rows, this.#plot.pixels);
    const key = [
      own.from,
      own.to,
      // What is held still is drawn again only when something falls into it.
      shown.isHeld ? store.rows.seq[own.end - 1] : "",
      store.changes,
      store.rows.gone,
      waiting.length,
      look,
      this.#plot.width,
      this.#plot.height,
      this.#pointed,
      shown.hidden.size,
      devicePixelRatio,
    ].join();
    if (key !== this.#key) {
      this.#key = key;
      this.#gone = store.rows.gone;
      this.#paint(own);
    }
  }

  /**
   * What is said beside the picture. Not before every chart is drawn: the text of an axis would have the
   * browser lay out the page again for whatever was written since the last.
   * @param {boolean} texts  whether it is time to write numbers
   */
  tell(texts) {
    if (!this.#isDrawn) {
      return;
    }
    this.#plot.showCursor(this.#scene.shown.cursor);
    // Where rows have moved since, the view does not know them any more: the next picture will.
    if ((texts || !this.#isTold) && this.#gone === this.#scene.store.rows.gone) {
      this.#isTold = true;
      this.#legend.mark((label) => this.#isHidden(label));
      this.#showValues();
    }
  }

  measure() {
    this.#plot.measure();
  }

  /** How many milliseconds a pixel shows, Infinity where it is not in sight. */
  get pixelMs() {
    const { from, to } = this.#plot.view;
    return this.#inSight && this.#plot.pixels > 0 && this.#picture ? (to - from) / this.#plot.pixels : Infinity;
  }

  get isEmpty() {
    return this.#picture === null;
  }

  focus() {
    this.root.scrollIntoView({ block: "center" });
    this.#body.focus({ preventScroll: true });
  }

  #redraw() {
    if (this.#view) {
      this.draw(this.#view);
      this.tell(true);
    }
  }

  #file() {
    return `${this.#scene.store.hello?.host.name || "host"}-${this.kind.id.replace(/[^\w.-]+/g, "-")}`;
  }

  /** @param {View} view */
  #paint(view) {
    const { store, waiting } = this.#scene;
    const breaks = waiting.length > 0 ? store.breaks.concat(waiting) : store.breaks;
    if (this.#heat) {
      this.#heat.draw(this.#plot, store, view, breaks);
    } else if (this.#picture) {
      const choice = { isHidden: (/** @type {string} */ label) => this.#isHidden(label), pointed: this.#pointed };
      drawLines(this.#plot, this.#picture, this.#runs, store, view, breaks, choice);
    }
  }

  #drawnLines() {
    return this.#picture?.lines.filter(({ label }) => !this.#isHidden(label)) ?? [];
  }

  /** @param {string} label */
  #isHidden(label) {
    return this.#scene.shown.hidden.has(`${this.kind.id}:${label}`);
  }

  #build() {
    const { store } = this.#scene;
    if (store.revision === this.#revision) {
      return;
    }
    this.#revision = store.revision;
    this.#isTold = false;
    this.#key = "";
    this.#picture = this.kind.picture(store);
    const cores = this.kind.heat?.(store) ?? [];
    this.#lines.hidden = cores.length === 0;
    this.#cores = cores.length > 0 && this.#lines.ariaPressed !== "true" ? cores : null;
    this.#heat = null;
    if (this.#cores) {
      this.#heat = new HeatChart(this.#cores);
      this.#body.style.minHeight = `${Math.max(200, Math.min(400, 3 * cores.length + 28))}px`;
      this.#side.replaceChildren(this.#heatLegend.root);
    } else if (this.#picture) {
      this.#runs = new Runs(this.#picture.lines);
      this.#figures = this.#picture.lines.map(() => ({ now: NaN, min: NaN, mean: NaN, max: NaN }));
      this.#legend.reset(this.kind.title, this.#picture.lines, this.#picture.format);
      this.#side.replaceChildren(this.#legend.root);
    }
  }

  #showValues() {
    const { store, shown } = this.#scene;
    const { rows } = store;
    const { view } = this.#plot;
    const { cursor } = shown;
    const row = cursor === null ? null : rowAt(store, cursor);
    const last = row ?? view.last;
    const gap = cursor === null ? undefined : [...store.breaks, ...this.#scene.waiting].find((one) => one.from < cursor && cursor < one.to);
    setText(this.#time, cursor === null ? "" : clockTime(cursor) + (gap ? ` · ${reasonText(gap.reason)}` : ""));
    this.#time.title = cursor === null ? "" : zonedTime(cursor);
    if (this.#cores) {
      this.#heatLegend.show(this.#cores, last < rows.first ? -1 : last);
    } else if (this.#picture) {
      this.#runs.tracks.forEach((track, at) => this.#runs.describe(track, rows, view, this.#figures[at]));
      this.#legend.show(this.#figures, row, this.#picture.format);
    }
    setText(this.#note, this.kind.note?.(store, last) ?? "");
  }
}

/** @param {HTMLElement} root  while the browser has nothing to lay out */
function isNear(root) {
  const { top, bottom } = root.getBoundingClientRect();
  return top < innerHeight + NEAR_PIXELS && bottom > -NEAR_PIXELS;
}

/**
 * The sample that tells of a moment: the first one at it or after. -1 within a gap.
 * @param {Store} store
 * @param {number} time
 */
function rowAt({ rows }, time) {
  const row = rows.lowerBound(time);
  return row >= rows.end || rows.isBreak(row) || (row > rows.first && rows.isBreak(row - 1) && rows.time[row] > time) ? -1 : row;
}
