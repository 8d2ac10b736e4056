/**
 * The piece of the past that is on the screen. Every view of one draw gets the same, so that all
 * charts share one time axis.
 */

/**
 * @typedef {object} View
 * @property {number} from  Unix ms at the left edge
 * @property {number} to  Unix ms at the right edge
 * @property {number} first  first row to draw, one before the left edge where there is one
 * @property {number} end  one past the last row to draw
 * @property {number} last  the newest row that is a sample, -1 if there is none
 */

const MINUTE = 60_000;
/** What is shown of a past that is shorter than the time asked for. */
const STEPS = [1, 2, 3, 5, 10, 15, 30].map((minutes) => minutes * MINUTE);

/**
 * A page that asks for five minutes of a daemon that has run for one would be mostly empty: until
 * the time asked for is held, the axis is as short as the next step, and grows with the past.
 * @param {import("./rows.js").Rows} rows
 * @param {number} to
 * @param {number | "all"} span  milliseconds
 * @returns {View}
 */
export function viewOf(rows, to, span) {
  const held = rows.end > rows.first ? to - rows.time[rows.first] : 0;
  const step = STEPS.find((long) => long >= held) ?? Infinity;
  return between(rows, to - (span === "all" ? Math.max(MINUTE, held) : Math.min(span, step)), to);
}

/**
 * @param {import("./rows.js").Rows} rows
 * @param {number} from
 * @param {number} to
 * @returns {View}
 */
export function between(rows, from, to) {
  const end = rows.lowerBound(to + 1);
  const first = Math.min(end, Math.max(rows.first, rows.lowerBound(from) - 1));
  let last = end - 1;
  while (last >= rows.first && rows.isBreak(last)) {
    last -= 1;
  }
  return { from, to, first, end, last: last >= rows.first ? last : -1 };
}

/**
 * The same view, moved to a whole pixel of a plot that is so wide: between two of them there is
 * nothing new to see. To the later one, so that the newest sample is on it.
 * @param {View} view
 * @param {import("./rows.js").Rows} rows
 * @param {number} pixels
 * @returns {View}
 */
export function snapped(view, rows, pixels) {
  const pixelMs = (view.to - view.from) / pixels;
  const to = Math.ceil(view.to / pixelMs) * pixelMs;
  return to === view.to ? view : between(rows, to - (view.to - view.from), to);
}
