/**
 * A canvas with a time axis, a value axis, gaps and the crosshair: what lines and cells are drawn on.
 */

import { element } from "./dom.js";
import { color } from "./palette.js";
import { clockTime } from "./units.js";

/**
 * @typedef {import("./store.js").Break} Break
 * @typedef {import("./view.js").View} View
 *
 * @typedef {object} Axis
 * @property {number} min
 * @property {number} max
 * @property {{ value: number, label: string }[]} ticks
 * @property {boolean} [down]  values grow downwards
 */

const FONT = "11px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";
/** All charts are on one time axis, so their plots begin at the same distance from the left. */
const LEFT = 62;
const RIGHT = 10;
const TOP = 8;
const BOTTOM = 20;
/** Least distance of two times on the axis. */
const TIME_SPACE = 76;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const TIME_STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((step) => step * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((step) => step * MINUTE),
  ...[1, 2, 3, 6, 12, 24].map((step) => step * HOUR),
];

export class Plot {
  canvas = element("canvas");
  #body;
  #cross = element("div", { class: "cross", hidden: true });
  selection = element("div", { class: "selection", hidden: true });
  width = 0;
  height = 0;
  context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
  /** What the value axis says. */
  #told = "";
  #axisIsNew = true;
  /** As last drawn. @type {View} */
  view = { from: 0, to: 1, first: 0, end: 0, last: -1 };
  /** @type {Axis} */
  axis = { min: 0, max: 1, ticks: [] };

  /**
   * @param {HTMLElement} body
   * @param {() => void} onResize
   */
  constructor(body, onResize) {
    this.#body = body;
    body.append(this.canvas, this.#cross, this.selection);
    new ResizeObserver(([{ contentRect }]) => {
      this.#resize(contentRect);
      onResize();
    }).observe(body);
  }

  /** Takes the size that there is at this moment: before paper nobody observes anything. */
  measure() {
    this.#resize(this.#body.getBoundingClientRect());
  }

  /** @param {DOMRectReadOnly} place */
  #resize({ width, height }) {
    this.width = Math.floor(width);
    this.height = Math.floor(height);
    // Here the browser has just worked out the page's style, which it needs for a font.
    this.#fit();
  }

  /** Gives the canvas its own pixels. */
  #fit() {
    const { canvas, context } = this;
    const [wide, high] = [this.width, this.height].map((length) => Math.round(length * devicePixelRatio));
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
      // Not at each draw: the style of the page is worked out for it, which cost more than all lines.
      context.font = FONT;
      this.#told = "";
    }
  }

  /** How wide the part with the data is. */
  get pixels() {
    return this.width - LEFT - RIGHT;
  }

  get #tall() {
    return this.height - TOP - BOTTOM;
  }

  /** @param {number} time */
  x(time) {
    const { from, to } = this.view;
    return LEFT + ((time - from) / (to - from)) * this.pixels;
  }

  /** @param {number} x  in pixels from the left of the canvas */
  timeAt(x) {
    const { from, to } = this.view;
    return from + ((x - LEFT) / this.pixels) * (to - from);
  }

  /** @param {number} value */
  y(value) {
    const { min, max, down } = this.axis;
    const share = (value - min) / (max - min);
    return TOP + (down ? share : 1 - share) * this.#tall;
  }

  /** @param {number} y */
  valueAt(y) {
    const { min, max, down } = this.axis;
    const share = (y - TOP) / this.#tall;
    return min + (down ? share : 1 - share) * (max - min);
  }

  /**
   * @param {View} view
   * @param {Axis} axis
   * @param {Break[]} breaks
   * @param {() => void} drawData  clipped to the part that is for it
   */
  draw(view, axis, breaks, drawData) {
    this.view = view;
    this.axis = axis;
    const { context } = this;
    // A window that was dragged to another screen.
    this.#fit();
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    this.#clear();
    this.#drawGrid();
    context.save();
    context.beginPath();
    context.rect(LEFT, TOP, this.pixels, this.#tall);
    context.clip();
    drawData();
    this.#drawBreaks(breaks);
    context.restore();
  }

  /** Writing is dear: the labels of the value axis stay where they are while they are the same. */
  #clear() {
    const { context, width, height, axis } = this;
    const told = [color("chart-label"), ...axis.ticks.map(({ label }) => label)].join();
    this.#axisIsNew = told !== this.#told;
    this.#told = told;
    const bottom = height - BOTTOM;
    if (this.#axisIsNew) {
      context.clearRect(0, 0, width, height);
    } else {
      context.clearRect(LEFT - 6, 0, width, bottom + 8);
      context.clearRect(0, bottom + 8, width, BOTTOM);
    }
  }

  /** @param {number | null} time */
  showCursor(time) {
    const x = time === null ? -1 : this.x(time);
    const inside = x >= LEFT && x <= this.width - RIGHT;
    if (this.#cross.hidden === inside) {
      this.#cross.hidden = !inside;
    }
    if (inside) {
      this.#cross.style.transform = `translateX(${x}px)`;
    }
  }

  /**
   * @param {number} from  in pixels
   * @param {number} to
   */
  showSelection(from, to) {
    const [left, right] = [Math.max(LEFT, Math.min(from, to)), Math.min(this.width - RIGHT, Math.max(from, to))];
    this.selection.hidden = right - left < 1;
    this.selection.style.transform = `translateX(${left}px)`;
    this.selection.style.width = `${right - left}px`;
  }

  /**
   * A level across the plot.
   * @param {number} value
   * @param {string} token
   */
  rule(value, token) {
    const { context } = this;
    context.fillStyle = color(token);
    context.fillRect(LEFT, Math.round(this.y(value)), this.pixels, 1);
  }

  #drawGrid() {
    const { context, width, height } = this;
    context.textBaseline = "middle";
    context.textAlign = "right";
    const grid = color("chart-grid");
    const ink = color("chart-label");
    for (const { value, label } of this.axis.ticks) {
      const y = Math.round(this.y(value));
      context.fillStyle = grid;
      if (!this.axis.down) {
        context.fillRect(LEFT, y, this.pixels, 1);
      }
      if (this.#axisIsNew) {
        context.fillStyle = ink;
        context.fillText(label, LEFT - 7, this.axis.down ? y + 1 : y);
      }
    }
    context.textAlign = "center";
    const { from, to } = this.view;
    const least = ((to - from) / this.pixels) * TIME_SPACE;
    const step = TIME_STEPS.find((one) => one >= least) ?? 24 * HOUR;
    const shift = new Date(to).getTimezoneOffset() * MINUTE;
    for (let at = Math.ceil((from - shift) / step) * step + shift; at <= to; at += step) {
      const x = Math.round(this.x(at));
      context.fillStyle = grid;
      if (!this.axis.down) {
        context.fillRect(x, TOP, 1, this.#tall);
      }
      const label = clockTime(at).slice(0, step < MINUTE ? 8 : 5);
      // Where it would be cut off, or reach under the value axis, it is left out.
      const half = label.length * 3.2;
      if (x + half < width && x - half > LEFT - 6) {
        context.fillStyle = ink;
        context.fillText(label, x, height - BOTTOM / 2);
      }
    }
  }

  /**
   * A gap is a tinted, hatched band between the samples around it; a restart also has a line and its name.
   * @param {Break[]} breaks
   */
  #drawBreaks(breaks) {
    const { context } = this;
    const bottom = TOP + this.#tall;
    for (const { from, to, reason } of breaks) {
      if (to < this.view.from || from > this.view.to) {
        continue;
      }
      const left = Math.max(LEFT, this.x(from));
      const right = Math.min(this.width, Math.max(left + 1, this.x(to)));
      context.fillStyle = color("chart-gap", 0.12);
      context.fillRect(left, TOP, right - left, this.#tall);
      if (right - left > 6) {
        context.strokeStyle = color("chart-gap", 0.28);
        context.lineWidth = 1;
        context.beginPath();
        for (let x = left - this.#tall - ((left - this.#tall) % 8); x < right; x += 8) {
          // Within the band only, without a clip for each.
          const [a, b] = [Math.max(x, left), Math.min(x + this.#tall, right)];
          if (b > a) {
            context.moveTo(a, bottom - (a - x));
            context.lineTo(b, bottom - (b - x));
          }
        }
        context.stroke();
      }
      if (reason === "restarted") {
        context.fillStyle = color("chart-restart");
        for (let y = TOP; y < bottom; y += 7) {
          context.fillRect(Math.round(right), y, 1, 4);
        }
        const room = this.width - right > 48;
        context.textAlign = room ? "left" : "right";
        context.textBaseline = "top";
        context.fillText("restart", right + (room ? 4 : -4), TOP + 2);
      }
    }
  }
}
