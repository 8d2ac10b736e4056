/**
 * Lines, areas and stacks over time.
 */

import { fold, Points } from "./fold.js";
import { DASHES, STACK_FILL } from "./lines.js";
import { color } from "./palette.js";
import { axisOver } from "./scale.js";

/**
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./plot.js").Plot} Plot
 * @typedef {import("./view.js").View} View
 *
 * @typedef {object} Picture
 * @property {Line[]} lines  of a stack the last is on top
 * @property {import("./units.js").Formatter} format
 * @property {number} floor  the axis reaches at least this far
 * @property {number} [most]  it cannot reach farther
 * @property {number} [bottom]  where the axis begins, unless a value is lower; 0 if not given
 * @property {(view: View) => number} [ceiling]  where the axis ends, when that does not depend on
 *   the lines; NaN for unknown
 * @property {() => { factor?: number, binary: boolean }} [steps]  of the axis: powers of two or ten
 * @property {{ value: number, label: string }} [reference]  a level to compare with
 */

const AREA_FILL = 0.15;
/** Of an area that has no outline. */
const PLAIN_FILL = 0.6;
/** In a lower chart an outline says nothing that the area does not say; and outlines are what costs most. */
const OUTLINED_PIXELS = 160;
const HEADROOM = 1.04;
/** What the name of a level needs above it. */
const REFERENCE_PIXELS = 24;
/** Others, while one line is pointed at. */
const FADED = 0.18;

/** One for all charts: they are drawn one after the other. */
const points = new Points();

/**
 * @param {Plot} plot
 * @param {Picture} picture
 * @param {import("./runs.js").Runs} runs  of the picture's lines
 * @param {import("./store.js").Store} store
 * @param {View} view
 * @param {import("./store.js").Break[]} breaks
 * @param {{ isHidden: (label: string) => boolean, pointed: string }} choice  `pointed`: label of the line that stands
 *   out, "" for none
 */
export function drawLines(plot, picture, runs, { rows }, view, breaks, { isHidden, pointed }) {
  runs.update(rows, view, plot.pixels);
  const drawn = picture.lines.filter(({ mark, label }) => mark !== "none" && !isHidden(label));
  fold(points, runs, rows, view, (line) => drawn.includes(line));
  const axis = axisOf(plot, picture, drawn, view);
  plot.draw(view, axis, breaks, () => {
    const { context } = plot;
    const zero = plot.y(Math.max(0, axis.min));
    const isOutlined = plot.height >= OUTLINED_PIXELS;
    let below = -1;
    drawn.forEach((line, at) => {
      const faded = pointed !== "" && line.label !== pointed ? FADED : 1;
      if (line.mark === "area") {
        fill(plot, at, zero, color(line.color, (isOutlined ? AREA_FILL : PLAIN_FILL) * faded));
      } else if (line.mark === "stack") {
        fill(plot, at, below < 0 ? zero : points.heights[below], color(line.color, STACK_FILL * faded));
        below = at;
      }
      if (line.mark === "line" || (line.mark === "area" && isOutlined)) {
        context.lineWidth = line.label === pointed ? 2 : line.mark === "line" ? 1.25 : 1;
        context.strokeStyle = color(line.color, faded);
        context.setLineDash(DASHES[line.stroke ?? "solid"]);
        stroke(plot, at);
      }
    });
    context.setLineDash([]);
    if (drawn.some(({ below }) => below)) {
      plot.rule(0, "chart-zero");
    }
    drawReference(plot, picture);
  });
}

/**
 * @param {Plot} plot
 * @param {Picture} picture
 * @param {Line[]} drawn
 * @param {View} view
 */
function axisOf(plot, { floor, most = Infinity, bottom = 0, ceiling, format, steps }, drawn, view) {
  let low = drawn.some(({ below }) => below) ? -floor : bottom;
  let high = floor;
  const traits = { format, ...steps?.(), pixels: plot.height - 28 };
  const fixed = ceiling?.(view) ?? NaN;
  if (fixed > 0) {
    return axisOver(0, fixed, { ...traits, fixed: true });
  }
  for (let line = 0; line < drawn.length; line += 1) {
    const heights = points.heights[line];
    for (let at = 0; at < points.length; at += 1) {
      low = heights[at] * HEADROOM < low ? heights[at] * HEADROOM : low;
      high = heights[at] * HEADROOM > high ? heights[at] * HEADROOM : high;
    }
  }
  return high >= most ? axisOver(low, most, { ...traits, fixed: true }) : axisOver(low, high, traits);
}

/**
 * @param {Plot} plot
 * @param {number} line
 */
function stroke(plot, line) {
  const { context } = plot;
  const { times, length } = points;
  const heights = points.heights[line];
  context.beginPath();
  let open = false;
  for (let at = 0; at < length; at += 1) {
    const value = heights[at];
    if (Number.isNaN(value)) {
      open = false;
      continue;
    }
    const x = plot.x(times[at]);
    const y = plot.y(value);
    if (open) {
      context.lineTo(x, y);
    } else {
      context.moveTo(x, y);
      // A sample with gaps on both sides belongs to no line: it is drawn as a dot.
      if (Number.isNaN(heights[at + 1]) || at + 1 === length) {
        context.rect(x - 1.5, y - 1.5, 3, 3);
      }
      open = true;
    }
  }
  context.stroke();
}

/**
 * @param {Plot} plot
 * @param {number} line
 * @param {number | Float64Array} base  where the area begins: a level in pixels, or the heights of the line below
 * @param {string} style
 */
function fill(plot, line, base, style) {
  const { context } = plot;
  const { times, length } = points;
  const heights = points.heights[line];
  context.beginPath();
  for (let from = 0; from < length; from += 1) {
    if (Number.isNaN(heights[from])) {
      continue;
    }
    let at = from;
    context.moveTo(plot.x(times[from]), plot.y(heights[from]));
    for (at += 1; at < length && !Number.isNaN(heights[at]); at += 1) {
      context.lineTo(plot.x(times[at]), plot.y(heights[at]));
    }
    if (typeof base === "number") {
      context.lineTo(plot.x(times[at - 1]), base);
      context.lineTo(plot.x(times[from]), base);
    } else {
      for (let back = at - 1; back >= from; back -= 1) {
        context.lineTo(plot.x(times[back]), plot.y(base[back]));
      }
    }
    context.closePath();
    from = at;
  }
  context.fillStyle = style;
  context.fill();
}

/**
 * @param {Plot} plot
 * @param {Picture} picture
 */
function drawReference(plot, { reference }) {
  if (!reference || reference.value > plot.axis.max) {
    return;
  }
  plot.rule(reference.value, "chart-zero");
  const { context } = plot;
  const y = plot.y(reference.value);
  // Above its line, or below where there is no room.
  const fits = y > REFERENCE_PIXELS;
  context.textAlign = "right";
  context.textBaseline = fits ? "bottom" : "top";
  // A rim, so that it can be read where a line crosses it.
  context.lineWidth = 4;
  context.lineJoin = "round";
  context.strokeStyle = color("surface", 0.85);
  context.fillStyle = color("chart-label");
  const at = /** @type {const} */ ([reference.label, plot.width - 14, fits ? y - 2 : y + 3]);
  context.strokeText(...at);
  context.fillText(...at);
}
