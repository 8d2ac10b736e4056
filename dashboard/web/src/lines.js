/**
 * What a chart draws: each line is a sum of columns, and may be stacked on the lines before it or
 * mirrored below zero.
 */

/**
 * @typedef {import("./rows.js").Column} Column
 * @typedef {"solid" | "dashed" | "dotted"} Stroke
 *
 * @typedef {object} Line
 * @property {string} label
 * @property {string} color  a token of tokens.css, without the dashes
 * @property {Column[]} columns  one at least
 * @property {boolean} [highest]  the highest of the columns and not their sum
 * @property {"line" | "area" | "stack" | "none"} mark  "none": only in the legend
 * @property {boolean} [below]  drawn downwards from zero
 * @property {Stroke} [stroke]  solid if not given
 * @property {boolean} [mean]  under one pixel the mean is drawn, as of the stack that it tops
 */

/** How much a layer of a stack covers of what is below it. */
export const STACK_FILL = 0.72;

/** Lengths of what is drawn and what is left out. @type {Record<Stroke, number[]>} */
export const DASHES = { solid: [], dashed: [6, 4], dotted: [1.5, 3] };

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
