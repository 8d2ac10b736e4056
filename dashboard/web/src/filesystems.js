/**
 * Filesystems as bars: they change too slowly for a line to say anything, so the pace is in words.
 */

import { element, setText } from "./dom.js";
import { readingOf } from "./lines.js";
import { foldable } from "./sections.js";
import { named, valuesOf } from "./selection.js";
import { byteRate, bytes, duration, percent, text } from "./units.js";

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./view.js").View} View
 * @typedef {import("./rows.js").Column} Column
 *
 * @typedef {object} Bar
 * @property {HTMLElement} root
 * @property {HTMLElement} fill
 * @property {HTMLElement} figures
 * @property {HTMLElement} pace
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
/** Less of the past says nothing about a pace. */
const LEAST_MS = 60_000;
/** A pace at which it takes longer than this to fill is none worth telling. */
const FARTHEST_SECONDS = 365 * 86_400;

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
    this.#card = foldable(
      "filesystems",
      "Filesystems",
      element("article", { class: "card", testid: "filesystems", attributes: { "aria-label": "Filesystems" } }, [this.#list]),
    );
    parent.append(this.#card);
  }

  /** @param {View} view */
  draw(view) {
    const { revision } = this.#store;
    if (revision !== this.#revision) {
      this.#revision = revision;
      this.#rebuild();
    }
    for (const bar of this.#bars) {
      const read = (/** @type {Column[]} */ columns) =>
        view.last < 0 ? NaN : readingOf(columns, view.last);
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
      setText(bar.pace, this.#pace(bar.used, view.last, usable - used));
    }
    this.#card.hidden = this.#bars.every(({ root }) => root.hidden);
  }

  /**
   * How fast it fills, from the oldest reading that is held to the one that is shown.
   * @param {Column[]} columns
   * @param {number} newest
   * @param {number} free
   */
  #pace(columns, newest, free) {
    const { rows } = this.#store;
    let first = rows.first;
    let last = newest;
    while (first < last && Number.isNaN(readingOf(columns, first))) {
      first += 1;
    }
    while (first < last && columns.some((column) => column.isHeld(last))) {
      last -= 1;
    }
    const spanMs = rows.time[last] - rows.time[first];
    if (last < 0 || !(spanMs >= LEAST_MS)) {
      return "";
    }
    const perSecond = ((readingOf(columns, last) - readingOf(columns, first)) / spanMs) * 1000;
    const over = `over the last ${duration(spanMs / 1000)}`;
    if (!(Math.abs(perSecond) >= 1) || free / perSecond > FARTHEST_SECONDS) {
      return `steady ${over}`;
    }
    return perSecond > 0
      ? `fills by ${text(byteRate(perSecond))} ${over} · full in ${duration(free / perSecond)}`
      : `empties by ${text(byteRate(-perSecond))} ${over}`;
  }

  #rebuild() {
    const { columns } = this.#store;
    const usage = named(columns, USAGE);
    const limits = named(columns, "system.filesystem.limit");
    this.#bars = valuesOf([...usage, ...limits], MOUNTPOINT).map((mountpoint) => {
      /** @param {string} state */
      const inState = (state) => named(usage, USAGE, { [MOUNTPOINT]: mountpoint, [STATE]: state });
      const fill = element("div", { class: "bar-fill" });
      const figures = element("span", { class: "bar-figures", text: "–" });
      const pace = element("span", { class: "bar-pace" });
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
        pace,
      ]);
      return {
        root,
        fill,
        figures,
        pace,
        meter,
        used: inState("used"),
        free: inState("free"),
        limit: named(limits, "system.filesystem.limit", { [MOUNTPOINT]: mountpoint }),
      };
    });
    this.#list.replaceChildren(...this.#bars.map(({ root }) => root));
  }
}
