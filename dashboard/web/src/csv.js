/**
 * What is visible, as text.
 */

import { readingOf } from "./lines.js";

/**
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./view.js").View} View
 */

/** Values are held with single precision: more digits would be invented. */
const DIGITS = 7;

/**
 * A row for each visible sample, a column for each line; in a gap there are no rows.
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
      const values = lines.map((line) => {
        const value = readingOf(line.columns, row, line.highest);
        return Number.isNaN(value) ? "" : String(Number(value.toPrecision(DIGITS)));
      });
      out.push([new Date(rows.time[row]).toISOString(), ...values].join());
    }
  }
  return `${out.join("\r\n")}\r\n`;
}
