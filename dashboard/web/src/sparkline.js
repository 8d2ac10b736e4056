/**
 * A line without axes. It says how a number went; how much, the number itself says.
 */

import { fold, Points } from "./fold.js";
import { color } from "./palette.js";
import { Runs } from "./runs.js";
import { snapped } from "./view.js";

const LINE_WIDTH = 1.25;
const points = new Points();

export class Sparkline {
  #canvas;
  #color;
  #width = 0;
  #height = 0;
  #key = "";
  #runs = new Runs([]);

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
   * @param {{ columns: import("./rows.js").Column[], highest?: boolean }} what
   * @param {import("./rows.js").Rows} rows
   * @param {import("./view.js").View} view
   * @param {number} [ceiling]
   */
  draw({ columns, highest }, rows, view, ceiling = NaN) {
    const context = this.#canvas.getContext("2d");
    if (!context || this.#width === 0) {
      return;
    }
    const own = snapped(view, rows, this.#width);
    const stroke = color(this.#color);
    const ratio = devicePixelRatio;
    const key = [own.from, own.to, own.end - own.first < 3 ? own.end : "", stroke, this.#width, ratio].join();
    if (key === this.#key) {
      return;
    }
    this.#key = key;
    const known = this.#runs.tracks[0]?.line.columns ?? [];
    if (known.length !== columns.length || known.some((column, at) => column !== columns[at])) {
      this.#runs = new Runs([{ label: "", color: "", columns, highest, mark: "line" }]);
    }
    this.#runs.update(rows, own, this.#width);
    fold(points, this.#runs, rows, own);
    const { times, length, heights: [values] } = points;
    let top = ceiling > 0 ? ceiling : 0;
    for (let at = 0; at < length && !(ceiling > 0); at += 1) {
      top = values[at] > top ? values[at] : top;
    }
    const [wide, high] = [Math.round(this.#width * ratio), Math.round(this.#height * ratio)];
    if (this.#canvas.width !== wide || this.#canvas.height !== high) {
      this.#canvas.width = wide;
      this.#canvas.height = high;
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.#width, this.#height);
    const room = this.#height - 2 * LINE_WIDTH;
    /** @param {number} at */
    const x = (at) => ((times[at] - own.from) / (own.to - own.from)) * this.#width;
    const line = new Path2D();
    const area = new Path2D();
    for (let from = 0; from < length; from += 1) {
      let at = from;
      for (; at < length && !Number.isNaN(values[at]); at += 1) {
        const y = this.#height - LINE_WIDTH - (Math.min(values[at], top) / (top || 1)) * room;
        if (at === from) {
          line.moveTo(x(at), y);
          area.moveTo(x(at), this.#height);
        } else {
          line.lineTo(x(at), y);
        }
        area.lineTo(x(at), y);
      }
      if (at > from) {
        area.lineTo(x(at - 1), this.#height);
        from = at;
      }
    }
    context.fillStyle = color(this.#color, 0.12);
    context.fill(area);
    context.lineWidth = LINE_WIDTH;
    context.strokeStyle = stroke;
    context.stroke(line);
  }
}
