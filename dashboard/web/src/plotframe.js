/**
 * What all charts on the page have in common: axes, grid, the crosshair that they share, and how a
 * gap looks.
 */

import { color } from "./palette.js";
import { clockTime } from "./units.js";

/**
 * @typedef {import("uplot")} uPlot
 * @typedef {import("uplot").Options} Options
 * @typedef {import("./store.js").Break} Break
 */

/** All charts are on one time axis, so their plots begin at the same distance from the left. */
const LEFT_AXIS_WIDTH = 66;
export const CHART_HEIGHT = 200;
const FONT = "11px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/** Half the width of a digit in that font, or a little more. */
const HALF_DIGIT = 3.3;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const TIME_STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((step) => step * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((step) => step * MINUTE),
  ...[1, 2, 3, 6, 12, 24].map((step) => step * HOUR),
];

/**
 * @param {object} traits
 * @param {number} traits.width
 * @param {(u: uPlot, min: number | null, max: number | null) => [number, number]} traits.range
 * @param {(value: number) => string} traits.label  of the vertical axis
 * @param {number[]} [traits.steps]  that its labels may be apart
 * @param {() => Break[]} traits.breaks
 * @param {(u: uPlot) => void} traits.onCursor
 * @returns {Options & { scales: import("uplot").Scales }}
 */
export function frame({ width, range, label, steps, breaks, onCursor }) {
  const axis = {
    stroke: () => color("chart-label"),
    font: FONT,
    gap: 6,
    ticks: { show: false },
    border: { show: false },
  };
  return {
    width,
    height: CHART_HEIGHT,
    ms: 1,
    padding: [10, 8, 0, 0],
    legend: { show: false },
    focus: { alpha: 1 },
    cursor: {
      y: false,
      drag: { x: false, y: false, setScale: false },
      points: { size: 7, width: 2 },
      sync: { key: "hostcast", setSeries: false, scales: ["x", null] },
    },
    scales: {
      x: { time: true, auto: false, range: (_, min, max) => [min, max] },
      y: { range },
    },
    axes: [
      {
        ...axis,
        space: 72,
        size: 22,
        incrs: TIME_STEPS,
        splits: (_, __, min, max, step) => timesBetween(min, max, step),
        grid: { stroke: () => color("chart-grid"), width: 1 },
        values: (u, splits, __, ___, step) =>
          splits.map((at) => {
            const label = step < MINUTE ? clockTime(at) : clockTime(at).slice(0, 5);
            const room = u.width - LEFT_AXIS_WIDTH - u.valToPos(at, "x");
            return room < label.length * HALF_DIGIT ? "" : label; // it would be cut off
          }),
      },
      {
        ...axis,
        size: LEFT_AXIS_WIDTH,
        space: 32,
        ...(steps && { incrs: steps }),
        grid: { stroke: () => color("chart-grid"), width: 1 },
        values: (_, splits) => splits.map(label),
      },
    ],
    series: [{}],
    hooks: {
      setCursor: [onCursor],
      drawAxes: [(u) => drawBreaks(u, breaks())],
    },
  };
}

/**
 * The multiples of a step, by the viewer's clock.
 * @param {number} min
 * @param {number} max
 * @param {number} step
 */
function timesBetween(min, max, step) {
  const shift = new Date(max).getTimezoneOffset() * MINUTE;
  const times = [];
  for (let at = Math.ceil((min - shift) / step) * step + shift; at <= max; at += step) {
    times.push(at);
  }
  return times;
}

/**
 * A gap is a tinted band between the samples around it; a restart also has a line and its name.
 * @param {uPlot} u
 * @param {Break[]} breaks
 */
function drawBreaks(u, breaks) {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  const { min = 0, max = 0 } = u.scales.x;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { from, to, reason } of breaks) {
    if (to < min || from > max) {
      continue;
    }
    const left = u.valToPos(from, "x", true);
    const right = u.valToPos(to, "x", true);
    ctx.fillStyle = color("chart-gap", 0.13);
    ctx.fillRect(left, bbox.top, Math.max(ratio, right - left), bbox.height);
    if (reason === "restarted") {
      ctx.strokeStyle = color("chart-restart");
      ctx.lineWidth = ratio;
      ctx.setLineDash([4 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(right, bbox.top);
      ctx.lineTo(right, bbox.top + bbox.height);
      ctx.stroke();
      ctx.font = `${10 * ratio}px system-ui, sans-serif`;
      ctx.fillStyle = color("chart-restart");
      const name = "restart";
      const room = bbox.left + bbox.width - right > ctx.measureText(name).width + 8 * ratio;
      ctx.textAlign = room ? "left" : "right";
      ctx.textBaseline = "top";
      ctx.fillText(name, right + (room ? 4 : -4) * ratio, bbox.top + 3 * ratio);
    }
  }
  ctx.restore();
}

/**
 * Where a line must not be drawn: at its own missing values, and at every break. uPlot alone would
 * join the line over a break that is narrower than a pixel.
 * @param {uPlot} u
 * @param {Break[]} breaks
 * @param {import("uplot").Series.Gaps} missing  as uPlot found them, in canvas pixels
 * @returns {import("uplot").Series.Gaps}
 */
export function holes(u, breaks, missing) {
  const { min = 0, max = 0 } = u.scales.x;
  const all = breaks
    .filter(({ from, to }) => to >= min && from <= max)
    .map(({ from, to }) => {
      const left = u.valToPos(from, "x", true);
      return /** @type {import("uplot").Series.Gap} */ ([left, Math.max(left + devicePixelRatio, u.valToPos(to, "x", true))]);
    })
    .concat(missing)
    .sort(([left], [right]) => left - right);
  // uPlot wants them apart from each other.
  /** @type {import("uplot").Series.Gaps} */
  const apart = [];
  for (const [from, to] of all) {
    const last = apart[apart.length - 1];
    if (last && from <= last[1]) {
      last[1] = Math.max(last[1], to);
    } else {
      apart.push([from, to]);
    }
  }
  return apart;
}
