/**
 * One row of cells a core, time from left to right: what lines cannot show for more than a few.
 * It is a uPlot with nothing plotted, so that axes, crosshair and gaps are those of all charts.
 */

import uPlot from "uplot";
import { channels } from "./palette.js";
import { CHART_HEIGHT, frame } from "./plotframe.js";

/**
 * @typedef {import("./rows.js").Column} Column
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./view.js").View} View
 */

const SHADES = 64;
/** Narrower cells than this many device pixels cost time and show nothing. */
const CELL_PIXELS = 2;

export class HeatChart {
  #store;
  #columns;
  #chart;
  /** @type {View | null} */
  #view = null;
  #image = document.createElement("canvas");
  /** @type {Uint32Array | null} */
  #shades = null;

  /**
   * @param {HTMLElement} body
   * @param {Store} store
   * @param {Column[]} columns  ratios, the first on top
   * @param {(time: number | null, column: Column | null) => void} onCursor  what is under the
   *   pointer; no column where the crosshair was moved from another chart
   */
  constructor(body, store, columns, onCursor) {
    this.#store = store;
    this.#columns = columns;
    const options = frame({
      width: body.clientWidth,
      range: () => [0, columns.length],
      label: (value) => (Number.isInteger(value) && value < columns.length ? String(value) : ""),
      steps: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
      breaks: () => store.breaks,
      onCursor: (u) => {
        const at = u.cursor.idx;
        const pointed = body.matches(":hover") ? Math.floor(u.posToVal(u.cursor.top ?? -1, "y")) : -1;
        onCursor(at == null ? null : u.data[0][at], columns[pointed] ?? null);
      },
    });
    options.scales.y = { ...options.scales.y, dir: -1 };
    options.axes?.forEach((axis) => {
      axis.grid = { show: false };
    });
    options.series = [{}, { show: true, width: 0, points: { show: false } }];
    options.cursor = { ...options.cursor, points: { show: false } };
    options.hooks = { ...options.hooks, drawClear: [(u) => this.#drawCells(u)] };
    this.#chart = new uPlot(options, [[], []], body);
  }

  /** @param {View} view */
  draw(view) {
    this.#view = view;
    const times = Array.from(this.#store.rows.time.subarray(view.first, view.end));
    this.#chart.batch(() => {
      this.#chart.setData([times, times.map(() => null)], false);
      this.#chart.setScale("x", { min: view.from, max: view.to });
    });
  }

  /** @param {number} width */
  resize(width) {
    this.#chart.setSize({ width, height: CHART_HEIGHT });
  }

  repaint() {
    this.#shades = null;
    this.#chart.redraw(false);
  }

  destroy() {
    this.#chart.destroy();
  }

  /**
   * Paints into an image with one pixel a cell, then stretches that over the plot: for 256 cores
   * this is a hundred times cheaper than as many rectangles.
   * @param {uPlot} u
   */
  #drawCells(u) {
    const view = this.#view;
    if (!view || view.end <= view.first) {
      return;
    }
    const { ctx, bbox } = u;
    const { intervalMs } = this.#store;
    const perPixel = (view.to - view.from) / bbox.width;
    // Cells lie on multiples of their width, so that the picture moves without shimmering.
    const cellMs = Math.max(intervalMs, CELL_PIXELS * perPixel);
    const firstCell = Math.floor(view.from / cellMs);
    const width = Math.ceil(view.to / cellMs) - firstCell;
    const height = this.#columns.length;
    this.#image.width = width;
    this.#image.height = height;
    const image = this.#image.getContext("2d");
    if (!image || width <= 0) {
      return;
    }
    const cells = image.createImageData(width, height);
    this.#fill(new Uint32Array(cells.data.buffer), width, firstCell, cellMs, view);
    image.putImageData(cells, 0, 0);

    const left = u.valToPos(firstCell * cellMs, "x", true);
    const right = u.valToPos((firstCell + width) * cellMs, "x", true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(this.#image, left, bbox.top, right - left, bbox.height);
    ctx.restore();
  }

  /**
   * A sample tells of the time since the sample before it, so it fills the cells of that span.
   * @param {Uint32Array} cells  row by row
   * @param {number} width
   * @param {number} firstCell
   * @param {number} cellMs
   * @param {View} view
   */
  #fill(cells, width, firstCell, cellMs, view) {
    const { rows, intervalMs } = this.#store;
    const shades = (this.#shades ??= readShades());
    for (let row = view.first; row < view.end; row += 1) {
      if (rows.isBreak(row)) {
        continue;
      }
      const time = rows.time[row];
      const joined = row > rows.first && !rows.isBreak(row - 1);
      const since = joined ? rows.time[row - 1] : time - intervalMs;
      const from = Math.max(0, Math.round(since / cellMs) - firstCell);
      const to = Math.min(width, Math.max(Math.round(time / cellMs) - firstCell, from + 1));
      this.#columns.forEach((column, core) => {
        const ratio = column.values[row];
        if (!Number.isNaN(ratio)) {
          const shade = shades[Math.round(Math.min(1, Math.max(0, ratio)) * (SHADES - 1))];
          cells.fill(shade, core * width + from, core * width + to);
        }
      });
    }
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
