/**
 * A card with one chart. It rebuilds its chart when the series that it shows have changed, redraws
 * when told to, and does neither while it is scrolled out of sight.
 */

import { element, setText } from "./dom.js";
import { HeatChart } from "./heatchart.js";
import { Legend } from "./legend.js";
import { LineChart } from "./linechart.js";
import { clockTime, percent, text } from "./units.js";

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./view.js").View} View
 * @typedef {import("./rows.js").Column} Column
 * @typedef {import("./linechart.js").Plot} Plot
 *
 * @typedef {object} PanelKind
 * @property {string} id
 * @property {string} title
 * @property {boolean} [optional]  hidden until it is known that this host has it
 * @property {(store: Store, choice: string) => Plot | null} [plot]  null where this host has
 *   nothing of the kind
 * @property {(store: Store) => Column[] | null} [heat]  rows of a heat map; null to plot lines
 * @property {(store: Store) => string[]} [choices]  offered when there are several, beside "all"
 * @property {(store: Store, row: number) => string} [note]  a line under the chart, or ""
 */

export class Panel {
  #kind;
  #store;
  #card;
  #time = element("span", { class: "card-time" });
  #legend = element("ul", { class: "legend" });
  #body;
  #empty = element("p", { class: "empty", text: "Waiting for the first sample" });
  #note = element("p", { class: "card-note", hidden: true });
  #select = element("select");
  #picker;
  #values = new Legend(this.#legend);
  /** @type {LineChart | HeatChart | null} */
  #chart = null;
  /** @type {Column[] | null} */
  #cores = null;
  #built = { revision: 0, choice: "", cpus: NaN };
  #inSight = true;
  /** @type {View | null} the newest that was asked for */
  #view = null;
  /** @type {number | null} */
  #cursorTime = null;
  /** @type {Column | null} */
  #pointed = null;

  /**
   * @param {PanelKind} kind
   * @param {Store} store
   * @param {HTMLElement} parent
   */
  constructor(kind, store, parent) {
    this.#kind = kind;
    this.#store = store;
    const titleId = `title-${kind.id}`;
    this.#body = element("div", { class: "chart", attributes: { role: "img", "aria-labelledby": titleId } });
    this.#picker = element("label", { class: "select", hidden: true }, [
      element("span", { class: "visually-hidden", text: `${kind.title}: show` }),
      this.#select,
    ]);
    this.#card = element(
      "article",
      // Not every host has these: they appear when it turns out that this one does.
      { class: "card", testid: `chart-${kind.id}`, hidden: kind.optional, attributes: { "aria-labelledby": titleId } },
      [
        element("header", { class: "card-head" }, [
          element("h2", { text: kind.title, attributes: { id: titleId } }),
          this.#time,
          this.#picker,
        ]),
        this.#legend,
        this.#body,
        this.#empty,
        this.#note,
      ],
    );
    parent.append(this.#card);
    this.#select.addEventListener("change", () => this.#redraw());
    new IntersectionObserver(([entry]) => {
      this.#inSight = entry.isIntersecting;
      this.#redraw();
    }, { rootMargin: "400px" }).observe(this.#card);
    new ResizeObserver(() => {
      if (this.#chart && this.#body.clientWidth > 0) {
        this.#chart.resize(this.#body.clientWidth);
      }
    }).observe(this.#body);
  }

  /** @param {View} view */
  draw(view) {
    this.#view = view;
    this.#build();
    this.#empty.hidden = this.#chart !== null && view.last >= 0;
    if (!this.#inSight || this.#card.hidden) {
      return;
    }
    this.#chart?.draw(view);
    this.#showValues();
  }

  /** Whether this host has anything of the kind. */
  get shown() {
    return !this.#card.hidden;
  }

  /** The theme changed. */
  repaint() {
    this.#chart?.repaint();
  }

  #redraw() {
    if (this.#view && this.#inSight) {
      this.draw(this.#view);
    }
  }

  #build() {
    const { revision, hello } = this.#store;
    const cpus = hello?.host.cpus ?? NaN;
    const choice = this.#select.value;
    const built = this.#built;
    if (revision === 0 || (revision === built.revision && choice === built.choice && Object.is(cpus, built.cpus))) {
      return;
    }
    this.#built = { revision, choice, cpus };
    this.#offerChoices();
    this.#chart?.destroy();
    this.#chart = null;
    this.#cores = this.#kind.heat?.(this.#store) ?? null;
    const plot = this.#cores ? null : (this.#kind.plot?.(this.#store, this.#select.value) ?? null);
    this.#card.hidden = this.#cores === null && plot === null;
    if (this.#cores) {
      this.#legend.replaceChildren(heatScale());
      this.#chart = new HeatChart(this.#body, this.#store, this.#cores, (time, column) => {
        this.#moveCursor(time, column);
      });
    } else if (plot) {
      this.#values.reset(plot.lines, plot.format);
      this.#chart = new LineChart(this.#body, this.#store, plot, (time) => this.#moveCursor(time, null));
    }
  }

  #offerChoices() {
    const choices = this.#kind.choices?.(this.#store) ?? [];
    const chosen = this.#select.value;
    this.#select.replaceChildren(
      element("option", { text: "All", attributes: { value: "" } }),
      ...choices.map((name) => element("option", { text: name, attributes: { value: name } })),
    );
    this.#select.value = choices.includes(chosen) ? chosen : "";
    this.#built.choice = this.#select.value;
    this.#picker.hidden = choices.length < 2;
  }

  /**
   * @param {number | null} time
   * @param {Column | null} column
   */
  #moveCursor(time, column) {
    this.#cursorTime = time;
    this.#pointed = column;
    this.#showValues();
  }

  #showValues() {
    const { rows } = this.#store;
    const row = this.#cursorTime === null ? (this.#view?.last ?? -1) : rows.lowerBound(this.#cursorTime);
    setText(this.#time, this.#cursorTime === null ? "" : clockTime(this.#cursorTime));
    if (this.#cores) {
      const core = this.#pointed ?? busiest(this.#cores, row);
      const name = core?.series.attributes["cpu.logical_number"] ?? "–";
      const value = text(percent(core?.values[row] ?? NaN));
      setText(
        /** @type {Element} */ (this.#legend.lastElementChild?.lastElementChild),
        `${this.#pointed ? "core" : "busiest core"} ${name}: ${value}`,
      );
    } else {
      this.#values.show(rows, row);
    }
    const note = this.#kind.note?.(this.#store, row) ?? "";
    setText(this.#note, note);
    this.#note.hidden = note === "";
  }
}

/**
 * @param {Column[]} cores
 * @param {number} row
 * @returns {Column | null}
 */
function busiest(cores, row) {
  /** @type {Column | null} */
  let found = null;
  for (const core of cores) {
    if (core.values[row] > (found?.values[row] ?? -1)) {
      found = core;
    }
  }
  return found;
}

function heatScale() {
  return element("li", { class: "legend-entry" }, [
    element("span", { class: "legend-label", text: "idle" }),
    element("span", { class: "heat-scale", attributes: { "aria-hidden": "true" } }),
    element("span", { class: "legend-label", text: "busy" }),
    element("span", { class: "legend-value" }),
  ]);
}
