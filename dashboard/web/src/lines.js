/**
 * From columns to what a chart draws: each line is a sum of columns, and may be stacked on the
 * lines before it or mirrored below zero.
 */

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
 * The heights of every drawn line over rows `first..end`; null breaks a line.
 * @param {Line[]} lines
 * @param {Rows} rows
 * @param {number} first
 * @param {number} end
 * @returns {(number | null)[][]}
 */
export function heights(lines, rows, first, end) {
  const stacked = new Float64Array(end - first);
  return lines.map((line) => {
    const sign = line.below ? -1 : 1;
    /** @type {(number | null)[]} */
    const drawn = new Array(end - first);
    for (let row = first; row < end; row += 1) {
      const value = rows.isBreak(row) ? NaN : readingOf(line.columns, rows, row);
      if (Number.isNaN(value)) {
        drawn[row - first] = null;
      } else if (line.mark === "stack") {
        stacked[row - first] += value;
        drawn[row - first] = stacked[row - first];
      } else {
        drawn[row - first] = sign * value;
      }
    }
    return drawn;
  });
}
