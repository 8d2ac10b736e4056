/**
 * One row of cells a core, time from left to right: what lines cannot show for more than a few.
 */

import { channels } from "./palette.js";

/**
 * @typedef {import("./rows.js").Column} Column
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./view.js").View} View
 * @typedef {import("./plot.js").Plot} Plot
 */

const SHADES = 64;
/** Narrower cells than this cost time and show nothing. */
const CELL_PIXELS = 2;

const image = document.createElement("canvas");
/** @type {Uint32Array | null} */
let shades = null;

/** To be called when the theme changed. */
export function forgetShades() {
  shades = null;
}

/**
 * Paints into an image with one pixel a cell, then stretches that over the plot: for 256 cores
 * this is a hundred times cheaper than as many rectangles.
 * @param {Plot} plot
 * @param {Column[]} columns  ratios, the first on top
 * @param {Store} store
 * @param {View} view
 * @param {import("./store.js").Break[]} breaks
 */
export function drawHeat(plot, columns, store, view, breaks) {
  const step = 2 ** Math.max(0, Math.ceil(Math.log2((columns.length * 16) / Math.max(1, plot.height - 28))));
  const ticks = columns.flatMap((_, core) => (core % step === 0 ? { value: core + 0.5, label: String(core) } : []));
  plot.draw(view, { min: 0, max: columns.length, down: true, ticks }, breaks, () => {
    const cellMs = Math.max(store.intervalMs, (CELL_PIXELS * (view.to - view.from)) / plot.pixels);
    // Cells lie on multiples of their width, so that the picture moves without shimmering.
    const firstCell = Math.floor(view.from / cellMs);
    const width = Math.ceil(view.to / cellMs) - firstCell;
    const context = image.getContext("2d");
    if (!context || width <= 0 || view.end <= view.first) {
      return;
    }
    image.width = width;
    image.height = columns.length;
    const cells = context.createImageData(width, columns.length);
    fillCells(new Uint32Array(cells.data.buffer), width, columns, store, view, firstCell, cellMs);
    context.putImageData(cells, 0, 0);
    const left = plot.x(firstCell * cellMs);
    const right = plot.x((firstCell + width) * cellMs);
    plot.context.imageSmoothingEnabled = false;
    plot.context.drawImage(image, left, plot.y(0), right - left, plot.y(columns.length) - plot.y(0));
  });
}

/**
 * A sample tells of the time since the sample before it, so it fills the cells of that span; where
 * several fall into one cell, that shows their mean.
 * @param {Uint32Array} cells  row by row
 * @param {number} width
 * @param {Column[]} columns
 * @param {Store} store
 * @param {View} view
 * @param {number} firstCell
 * @param {number} cellMs
 */
function fillCells(cells, width, columns, { rows, intervalMs }, view, firstCell, cellMs) {
  const ramp = (shades ??= readShades());
  const from = new Int32Array(view.end - view.first);
  const to = new Int32Array(view.end - view.first);
  for (let row = view.first; row < view.end; row += 1) {
    if (rows.isBreak(row)) {
      continue;
    }
    const joined = row > rows.first && !rows.isBreak(row - 1);
    const since = joined ? rows.time[row - 1] : rows.time[row] - intervalMs;
    const at = row - view.first;
    from[at] = Math.max(0, Math.round(since / cellMs) - firstCell);
    to[at] = Math.min(width, Math.max(Math.round(rows.time[row] / cellMs) - firstCell, from[at] + 1));
  }
  columns.forEach(({ values }, core) => {
    const line = core * width;
    let cell = -1;
    let sum = 0;
    let count = 0;
    for (let at = 0; at < from.length; at += 1) {
      const ratio = values[view.first + at];
      if (Number.isNaN(ratio) || to[at] === 0) {
        continue;
      }
      if (from[at] !== cell) {
        sum = 0;
        count = 0;
      }
      sum += ratio;
      count += 1;
      cell = from[at];
      const shade = ramp[Math.round(Math.min(1, Math.max(0, sum / count)) * (SHADES - 1))];
      for (let x = cell; x < to[at]; x += 1) {
        cells[line + x] = shade;
      }
    }
  });
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
