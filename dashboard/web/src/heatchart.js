/**
 * One row of cells a core, time from left to right: what lines cannot show for more than a few.
 */

import { HeatCells } from "./heatcells.js";
import { channels } from "./palette.js";
import { roundedUp } from "./runs.js";

/**
 * @typedef {import("./rows.js").Column} Column
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./view.js").View} View
 * @typedef {import("./plot.js").Plot} Plot
 */

const SHADES = 64;
/** Narrower cells than this cost time and show nothing. */
const CELL_PIXELS = 2;

/** @type {Uint32Array | null} */
let shades = null;

/** To be called when the theme changed. */
export function forgetShades() {
  shades = null;
}

/**
 * Paints into an image with one pixel a cell, then stretches that over the plot: for 256 cores this is a hundred times
 * cheaper than as many rectangles.
 */
export class HeatChart {
  #columns;
  #cells;
  #image = document.createElement("canvas");
  #context = /** @type {CanvasRenderingContext2D} */ (this.#image.getContext("2d"));

  /** @param {Column[]} columns  ratios, the first on top */
  constructor(columns) {
    this.#columns = columns;
    this.#cells = new HeatCells(columns);
  }

  /**
   * @param {Plot} plot
   * @param {Store} store
   * @param {View} view
   * @param {import("./store.js").Break[]} breaks
   */
  draw(plot, { rows, intervalMs }, view, breaks) {
    const { length } = this.#columns;
    const step = 2 ** Math.max(0, Math.ceil(Math.log2((length * 16) / Math.max(1, plot.height - 28))));
    const ticks = this.#columns.flatMap((_, core) => (core % step === 0 ? { value: core + 0.5, label: String(core) } : []));
    plot.draw(view, { min: 0, max: length, down: true, ticks }, breaks, () => {
      if (view.end <= view.first) {
        return;
      }
      const cellMs = Math.max(intervalMs, roundedUp((CELL_PIXELS * (view.to - view.from)) / plot.pixels));
      // As many as there can be, and not just those of this view: one that grows would have them all painted anew.
      const width = HeatCells.enough(plot.pixels / CELL_PIXELS);
      const from = this.#cells.update(rows, intervalMs, view, cellMs, width, (shades ??= readShades()));
      const { pixels } = this.#cells;
      if (this.#image.width !== width || this.#image.height !== length) {
        [this.#image.width, this.#image.height] = [width, length];
      }
      this.#context.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), width), 0, 0);
      const left = plot.x(from);
      const right = plot.x(from + width * cellMs);
      plot.context.imageSmoothingEnabled = false;
      plot.context.drawImage(this.#image, left, plot.y(0), right - left, plot.y(length) - plot.y(0));
    });
  }
}

/**
 * The ramp from the theme's tokens, as pixels.
 * @returns {Uint32Array}
 */
function readShades() {
  const stops = ["heat-0", "heat-1", "heat-2", "heat-3"].map(channels);
  const bytes = new Uint8ClampedArray(SHADES * 4);
  for (let shade = 0; shade < SHADES; shade += 1) {
    const at = (shade / (SHADES - 1)) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    for (let channel = 0; channel < 3; channel += 1) {
      const from = stops[low][channel];
      bytes[shade * 4 + channel] = from + (stops[low + 1][channel] - from) * (at - low);
    }
    bytes[shade * 4 + 3] = 255;
  }
  return new Uint32Array(bytes.buffer);
}
