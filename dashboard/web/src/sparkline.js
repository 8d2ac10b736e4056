/**
 * A line without axes. It says how a number went; how much, the number itself says.
 */

import { color } from "./palette.js";
import { runsOf, thinTimes, thinValues } from "./thin.js";

const LINE_WIDTH = 1.25;

export class Sparkline {
  #canvas;
  #color;
  #width = 0;
  #height = 0;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {string} token
   */
  constructor(canvas, token) {
    this.#canvas = canvas;
    this.#color = token;
    // Asking the canvas for its size at every draw would cost a layout each time.
    new ResizeObserver(([{ contentRect }]) => {
      this.#width = contentRect.width;
      this.#height = contentRect.height;
    }).observe(canvas);
  }

  /**
   * @param {import("./rows.js").Rows} rows
   * @param {import("./view.js").View} view
   * @param {(row: number) => number} valueAt
   * @param {number} [ceiling]
   */
  draw(rows, view, valueAt, ceiling = NaN) {
    const context = this.#canvas.getContext("2d");
    if (!context || this.#width === 0) {
      return;
    }
    const ratio = devicePixelRatio;
    this.#canvas.width = Math.round(this.#width * ratio);
    this.#canvas.height = Math.round(this.#height * ratio);
    context.scale(ratio, ratio);

    const all = new Float64Array(view.end - view.first);
    for (let row = view.first; row < view.end; row += 1) {
      all[row - view.first] = rows.isBreak(row) ? NaN : valueAt(row);
    }
    const runs = runsOf(rows, view, this.#width);
    const times = runs ? thinTimes(rows.time, runs) : rows.time.subarray(view.first, view.end);
    const values = runs ? thinValues(all, view.first, runs, false).map((value) => value ?? NaN) : Array.from(all);
    const highest = values.reduce((most, value) => (value > most ? value : most), 0);
    const top = ceiling > 0 ? ceiling : highest || 1;
    const room = this.#height - 2 * LINE_WIDTH;
    /** @param {number} at */
    const x = (at) => ((times[at] - view.from) / (view.to - view.from)) * this.#width;
    /** @param {number} at */
    const y = (at) => this.#height - LINE_WIDTH - (Math.min(values[at], top) / top) * room;

    context.lineWidth = LINE_WIDTH;
    context.lineJoin = "round";
    context.strokeStyle = color(this.#color);
    context.fillStyle = color(this.#color, 0.12);
    for (const [from, to] of stretches(values)) {
      const line = new Path2D();
      for (let at = from; at < to; at += 1) {
        line.lineTo(x(at), y(at));
      }
      context.stroke(line);
      line.lineTo(x(to - 1), this.#height);
      line.lineTo(x(from), this.#height);
      context.fill(line);
    }
  }
}

/**
 * The runs without a missing value.
 * @param {ArrayLike<number>} values
 * @returns {[from: number, to: number][]}
 */
function stretches(values) {
  /** @type {[number, number][]} */
  const found = [];
  let from = 0;
  for (let at = 0; at <= values.length; at += 1) {
    if (at === values.length || Number.isNaN(values[at])) {
      if (at > from) {
        found.push([from, at]);
      }
      from = at + 1;
    }
  }
  return found;
}
