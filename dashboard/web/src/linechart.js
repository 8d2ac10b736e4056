/**
 * Lines, areas and stacks over time, drawn by uPlot.
 */

import uPlot from "uplot";
import { points } from "./lines.js";
import { color } from "./palette.js";
import { CHART_HEIGHT, frame, holes } from "./plotframe.js";
import { axisLabel } from "./units.js";

/**
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./view.js").View} View
 *
 * @typedef {object} Plot
 * @property {Line[]} lines  of a stack the last is on top
 * @property {import("./units.js").Formatter} format
 * @property {number} floor  the axis reaches at least this far
 * @property {number} [bottom]  where the axis begins, unless a value is lower; 0 if not given
 * @property {(view: View) => number} [ceiling]  where the axis ends, when that does not depend on
 *   the lines; NaN for unknown
 * @property {boolean} [binary]  steps of the axis are powers of two
 * @property {{ value: number, label: string }} [reference]  a level to compare with
 */

const BINARY_STEPS = Array.from({ length: 60 }, (_, power) => 2 ** power);
const HEADROOM = 1.12;

export class LineChart {
  #store;
  #plot;
  #drawn;
  #chart;
  /** @type {View | null} */
  #view = null;

  /**
   * @param {HTMLElement} body
   * @param {Store} store
   * @param {Plot} plot
   * @param {(time: number | null) => void} onCursor  the time under the crosshair
   */
  constructor(body, store, plot, onCursor) {
    this.#store = store;
    this.#plot = plot;
    this.#drawn = plot.lines.filter(({ mark }) => mark !== "none");
    const options = frame({
      width: body.clientWidth,
      range: (_, min, max) => this.#range(min, max),
      label: (value) => axisLabel(plot.format, value),
      steps: plot.binary ? BINARY_STEPS : undefined,
      breaks: () => store.breaks,
      onCursor: (u) => {
        const at = u.cursor.idx;
        onCursor(at == null ? null : u.data[0][at]);
      },
    });
    options.series = [{}, ...this.#drawn.map((line) => seriesOptions(line, () => store.breaks))];
    options.bands = bandsOf(this.#drawn);
    options.hooks = { ...options.hooks, draw: [(u) => this.#drawLevels(u)] };
    this.#chart = new uPlot(options, [[], ...this.#drawn.map(() => [])], body);
  }

  /** @param {View} view */
  draw(view) {
    this.#view = view;
    const { rows } = this.#store;
    const data = points(this.#drawn, rows, view, this.#chart.width);
    this.#chart.batch(() => {
      this.#chart.setData(data, false);
      this.#chart.setScale("x", { min: view.from, max: view.to });
    });
  }

  /** @param {number} width */
  resize(width) {
    this.#chart.setSize({ width, height: CHART_HEIGHT });
  }

  repaint() {
    this.#chart.redraw(false);
  }

  destroy() {
    this.#chart.destroy();
  }

  /**
   * @param {number | null} min
   * @param {number | null} max
   * @returns {[number, number]}
   */
  #range(min, max) {
    const { bottom = 0, ceiling, floor, lines } = this.#plot;
    const fixed = ceiling && this.#view ? ceiling(this.#view) : NaN;
    if (fixed > 0) {
      return [0, fixed];
    }
    const lowest = lines.some(({ below }) => below)
      ? Math.min(-floor, (min ?? 0) * HEADROOM)
      : Math.min(bottom, min ?? bottom);
    return [lowest, Math.max(floor, (max ?? 0) * HEADROOM)];
  }

  /**
   * The zero line of a mirrored chart, and the level to compare with.
   * @param {uPlot} u
   */
  #drawLevels(u) {
    const { lines, reference } = this.#plot;
    const ratio = devicePixelRatio;
    const { ctx, bbox } = u;
    const { max = 0 } = u.scales.y;
    /** @param {number} value */
    const rule = (value) => {
      const y = Math.round(u.valToPos(value, "y", true)) + 0.5;
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      return y;
    };
    ctx.save();
    ctx.lineWidth = ratio;
    if (lines.some(({ below }) => below)) {
      ctx.strokeStyle = color("chart-zero");
      rule(0);
    }
    if (reference && reference.value <= max) {
      ctx.strokeStyle = ctx.fillStyle = color("chart-label");
      ctx.setLineDash([3 * ratio, 4 * ratio]);
      const y = rule(reference.value);
      ctx.font = `${10 * ratio}px system-ui, sans-serif`;
      ctx.textAlign = "right";
      ctx.textBaseline = "bottom";
      const at = /** @type {const} */ ([reference.label, bbox.left + bbox.width - 2 * ratio, y - 3 * ratio]);
      // A rim, so that it can be read where a line crosses it.
      ctx.setLineDash([]);
      ctx.lineWidth = 4 * ratio;
      ctx.lineJoin = "round";
      ctx.strokeStyle = color("surface", 0.85);
      ctx.strokeText(...at);
      ctx.fillText(...at);
    }
    ctx.restore();
  }
}

/**
 * @param {Line} line
 * @param {() => import("./store.js").Break[]} breaks
 * @returns {uPlot.Series}
 */
function seriesOptions(line, breaks) {
  const stroke = () => color(line.color);
  return {
    stroke,
    width: line.mark === "stack" ? 1 : 1.25,
    ...(line.dashed && { dash: [5, 4] }),
    ...(line.mark === "area" && { fill: () => color(line.color, 0.14) }),
    ...(line.mark === "stack" && { fill: () => color(line.color, 0.42) }),
    gaps: (u, _, __, ___, missing) => holes(u, breaks(), missing),
    points: {
      show: true,
      size: 4,
      fill: stroke,
      // A sample with gaps on both sides belongs to no line: it is drawn as a dot.
      filter: (u, at) => lonely(/** @type {(number | null)[]} */ (u.data[at])),
    },
  };
}

/**
 * Each layer of a stack is filled down to the layer below it only.
 * @param {Line[]} lines
 * @returns {uPlot.Band[]}
 */
function bandsOf(lines) {
  /** @type {uPlot.Band[]} */
  const bands = [];
  let below = 0;
  lines.forEach((line, at) => {
    if (line.mark === "stack") {
      if (below > 0) {
        bands.push({ series: [at + 1, below], fill: () => color(line.color, 0.42) });
      }
      below = at + 1;
    }
  });
  return bands;
}

/**
 * @param {(number | null)[]} values
 * @returns {number[]} indexes
 */
function lonely(values) {
  const found = [];
  for (let at = 0; at < values.length; at += 1) {
    if (values[at] != null && values[at - 1] == null && values[at + 1] == null) {
      found.push(at);
    }
  }
  return found;
}
