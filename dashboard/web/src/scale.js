/**
 * The value axis: where it ends and what stands on it. Ends are round, so that the axis does not
 * move with every sample.
 */

import { axisLabel } from "./units.js";

/**
 * @typedef {import("./plot.js").Axis} Axis
 * @typedef {import("./units.js").Formatter} Formatter
 */

/** Of a step: what a label needs beside the last one. */
const END_ROOM = 0.4;

/**
 * @param {number} min
 * @param {number} max
 * @param {{ format: Formatter, binary?: boolean, fixed?: boolean, factor?: number, pixels: number }} traits  `binary`:
 *   steps are powers of two; `fixed`: it ends exactly at `max`; `factor`: a value times that is what the labels count
 * @returns {Axis}
 */
export function axisOver(min, max, { format, binary = false, fixed = false, factor = 1, pixels }) {
  const wanted = Math.min(6, Math.max(2, Math.floor(pixels / 38)));
  const step = stepOver(((max - min) / wanted) * factor, binary) / factor;
  const from = Math.floor(min / step + 1e-9) * step;
  const to = fixed ? max : Math.ceil(max / step - 1e-9) * step;
  const ticks = [];
  for (let value = from; value <= to * (1 + 1e-9) + 1e-12; value += step) {
    const round = Math.abs(value) < step / 1e6 ? 0 : value;
    ticks.push({ value: round, label: axisLabel(format, round) });
  }
  // Where an axis ends at no round value, that end is worth knowing, if there is room to say it.
  if (fixed && to - ticks[ticks.length - 1].value > END_ROOM * step) {
    ticks.push({ value: to, label: axisLabel(format, to) });
  }
  return { min: from, max: to, ticks };
}

/**
 * @param {number} least
 * @param {boolean} binary
 */
function stepOver(least, binary) {
  if (binary) {
    return 2 ** Math.ceil(Math.log2(least));
  }
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 2.5, 5, 10].find((step) => step * power >= least * (1 - 1e-9)) ?? 10);
}
