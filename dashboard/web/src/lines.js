/**
 * From columns to what a chart draws: each line is a sum of columns, and may be stacked on the
 * lines before it or mirrored below zero.
 */

import { runsOf, thinTimes, thinValues } from "./thin.js";

/**
 * @typedef {import("./rows.js").Column} Column
 * @typedef {import("./rows.js").Rows} Rows
 *
 * @typedef {object} Line
 * @property {string} label
 * @property {string} color  a token of tokens.css, without the dashes
 * @property {Column[]} columns
 * @property {"line" | "area" | "stack" | "none"} mark  "none": only in the legend
 * @property {boolean} [below]  drawn downwards from zero
 * @property {boolean} [dashed]
 * @property {boolean} [mean]  under one pixel the mean is drawn, as of the stack that it tops
 */

/**
 * The sum at one row: missing only where every part is missing.
 * @param {Column[]} columns
 * @param {Rows} rows
 * @param {number} row
 */
export function readingOf(columns, rows, row) {
  let sum = NaN;
  for (const column of columns) {
    const value = rows.reading(column, row);
    if (!Number.isNaN(value)) {
      sum = Number.isNaN(sum) ? value : sum + value;
    }
  }
  return sum;
}

/**
 * The points of every drawn line, over a view; null breaks a line.
 * @param {Line[]} lines
 * @param {Rows} rows
 * @param {import("./view.js").View} view
 * @param {number} pixels  that the view is wide
 * @returns {[times: number[], ...heights: (number | null)[][]]}
 */
export function points(lines, rows, view, pixels) {
  const { first, end } = view;
  const runs = runsOf(rows, view, pixels) ?? Array.from({ length: end - first + 1 }, (_, at) => first + at);
  const stacked = new Float64Array(end - first);
  const heights = lines.map((line) => {
    const sign = line.below ? -1 : 1;
    const drawn = new Float64Array(end - first);
    for (let row = first; row < end; row += 1) {
      const value = rows.isBreak(row) ? NaN : readingOf(line.columns, rows, row);
      const at = row - first;
      if (line.mark === "stack") {
        stacked[at] += value || 0;
        drawn[at] = Number.isNaN(value) ? NaN : stacked[at];
      } else {
        drawn[at] = sign * value;
      }
    }
    return thinValues(drawn, first, runs, line.mark === "stack" || line.mean === true);
  });
  return [thinTimes(rows.time, runs), ...heights];
}
