/**
 * What a chart draws: each line is a sum of columns, and may be stacked on the lines before it or
 * mirrored below zero.
 */

/**
 * @typedef {import("./rows.js").Column} Column
 *
 * @typedef {object} Line
 * @property {string} label
 * @property {string} color  a token of tokens.css, without the dashes
 * @property {Column[]} columns  one at least
 * @property {boolean} [highest]  the highest of the columns and not their sum
 * @property {"line" | "area" | "stack" | "none"} mark  "none": only in the legend
 * @property {boolean} [below]  drawn downwards from zero
 * @property {boolean} [dashed]
 * @property {boolean} [mean]  under one pixel the mean is drawn, as of the stack that it tops
 */

/**
 * The sum at one row: missing only where every part is missing.
 * @param {Column[]} columns
 * @param {number} row
 * @param {boolean} [highest]  instead of the sum
 */
export function readingOf(columns, row, highest = false) {
  let sum = NaN;
  for (const column of columns) {
    const value = column.values[row] ?? NaN;
    if (!Number.isNaN(value)) {
      sum = Number.isNaN(sum) ? value : highest ? Math.max(sum, value) : sum + value;
    }
  }
  return sum;
}
