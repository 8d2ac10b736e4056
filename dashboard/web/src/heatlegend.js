/**
 * What a heat map cannot say: which core is the busiest, and by how much.
 */

import { element, setText } from "./dom.js";
import { percent, text } from "./units.js";

/** @typedef {import("./rows.js").Column} Column */

const BUSY = 0.9;
const ROWS = ["busiest", "mean", "calmest", "above 90 %"];

export class HeatLegend {
  #cells = ROWS.map(() => element("td", { text: "–" }));
  root = element("div", { class: "heat-legend" }, [
    element("p", { class: "heat-ends" }, [
      element("span", { text: "idle" }),
      element("span", { class: "heat-scale", attributes: { "aria-hidden": "true" } }),
      element("span", { text: "busy" }),
    ]),
    element("table", { class: "legend" }, [
      element("caption", { class: "visually-hidden", text: "Cores: the newest sample, or that under the crosshair" }),
      element("tbody", {}, ROWS.map((label, at) =>
        element("tr", {}, [element("th", { text: label, attributes: { scope: "row" } }), this.#cells[at]]),
      )),
    ]),
  ]);

  /**
   * @param {Column[]} cores
   * @param {number} row  -1 for none
   */
  show(cores, row) {
    let high = -1;
    let low = -1;
    let sum = 0;
    let count = 0;
    let busy = 0;
    cores.forEach(({ values }, core) => {
      const value = values[row];
      if (value >= 0) {
        sum += value;
        count += 1;
        busy += value > BUSY ? 1 : 0;
        high = high < 0 || value > cores[high].values[row] ? core : high;
        low = low < 0 || value < cores[low].values[row] ? core : low;
      }
    });
    /** @param {number} core */
    const named = (core) =>
      `core ${cores[core].series.attributes["cpu.logical_number"]} · ${text(percent(cores[core].values[row]))}`;
    const texts = count === 0 ? ["–", "–", "–", "–"] : [named(high), text(percent(sum / count)), named(low), `${busy} of ${count}`];
    texts.forEach((one, at) => setText(this.#cells[at], one));
  }
}
