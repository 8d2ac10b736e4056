/**
 * More samples than pixels: what of them is drawn. Where several fall under a pixel or two, a line
 * keeps the lowest and the highest, so that no peak is lost; what is part of a sum takes the mean,
 * so that the sum stays one.
 */

/**
 * @typedef {import("./rows.js").Rows} Rows
 * @typedef {import("./view.js").View} View
 */

/** Each run of samples ends as two points. */
const RUN_PIXELS = 2;

/**
 * Cuts the rows of a view into runs. They begin at multiples of their length, so that the picture
 * moves without shimmering; a break is a run of its own.
 * @param {Rows} rows
 * @param {View} view
 * @param {number} pixels  that the view is wide
 * @returns {number[] | null}  the first row of each run, and the end; null where each sample has
 *   room enough
 */
export function runsOf(rows, { from, to, first, end }, pixels) {
  if (end - first <= 2 * pixels) {
    return null;
  }
  const lengthMs = (RUN_PIXELS * (to - from)) / pixels;
  const starts = [];
  let run = NaN;
  for (let row = first; row < end; row += 1) {
    const at = rows.isBreak(row) ? NaN : Math.floor(rows.time[row] / lengthMs);
    // NaN differs from itself: a break never joins a run.
    if (at !== run) {
      starts.push(row);
      run = at;
    }
  }
  starts.push(end);
  return starts;
}

/**
 * Where the two points of each run are: at its first and its last sample.
 * @param {Float64Array} times
 * @param {number[]} runs
 */
export function thinTimes(times, runs) {
  /** @type {number[]} */
  const thin = [];
  for (let run = 0; run + 1 < runs.length; run += 1) {
    const [first, last] = [runs[run], runs[run + 1] - 1];
    thin.push(times[first]);
    if (last > first) {
      thin.push(times[last]);
    }
  }
  return thin;
}

/**
 * @param {ArrayLike<number>} values  NaN for missing; the first is of row `offset`
 * @param {number} offset
 * @param {number[]} runs
 * @param {boolean} mean
 * @returns {(number | null)[]}
 */
export function thinValues(values, offset, runs, mean) {
  /** @type {(number | null)[]} */
  const thin = [];
  for (let run = 0; run + 1 < runs.length; run += 1) {
    const [first, end] = [runs[run] - offset, runs[run + 1] - offset];
    if (end - first === 1) {
      thin.push(orNull(values[first]));
      continue;
    }
    let [lowest, highest, sum, count, rising] = [NaN, NaN, 0, 0, true];
    for (let at = first; at < end; at += 1) {
      const value = values[at];
      if (Number.isNaN(value)) {
        continue;
      }
      sum += value;
      count += 1;
      if (!(value >= lowest)) {
        lowest = value;
        rising = false;
      }
      if (!(value <= highest)) {
        highest = value;
        rising = true;
      }
    }
    const points = mean ? [sum / count, sum / count] : rising ? [lowest, highest] : [highest, lowest];
    thin.push(...points.map(orNull));
  }
  return thin;
}

/** @param {number} value */
const orNull = (value) => (Number.isNaN(value) ? null : value);
