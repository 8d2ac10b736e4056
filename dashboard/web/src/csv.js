/**
 * What is visible, as text.
 */

import { readingOf } from "./lines.js";

/**
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./view.js").View} View
 */

/** More than any value has: what a sum has beyond these is not of its parts, as in 0.1 + 0.2. */
const DIGITS = 15;

/**
 * A row for each visible sample, a column for each line; in a gap there are no rows. A series that is read less often
 * has a value where it was read: one that is repeated would pretend to be a reading.
 * @param {Line[]} lines
 * @param {import("./rows.js").Rows} rows
 * @param {View} view
 */
export function csvOf(lines, rows, { from, first, end }) {
  /** @param {string} name */
  const quoted = (name) => (/[",\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name);
  const unit = lines[0]?.columns[0].series.unit ?? "";
  const out = [["time", ...lines.map(({ label }) => quoted(`${label} (${unit})`))].join()];
  for (let row = first; row < end; row += 1) {
    if (!rows.isBreak(row) && rows.time[row] >= from) {
      out.push([new Date(rows.time[row]).toISOString(), ...lines.map((line) => cell(line, row))].join());
    }
  }
  return `${out.join("\r\n")}\r\n`;
}

/**
 * @param {Line} line
 * @param {number} row
 */
function cell({ columns, highest }, row) {
  const value = columns.some((column) => column.isHeld(row)) ? NaN : readingOf(columns, row, highest);
  const isSum = columns.length > 1 && !Number.isInteger(value);
  return Number.isNaN(value) ? "" : String(isSum ? Number(value.toPrecision(DIGITS)) : value);
}
