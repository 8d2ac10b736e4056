/**
 * From the rows of a view to the points of a picture. Where several samples fall under two pixels,
 * a line keeps the lowest and the highest of them, so that no peak is lost; what is part of a sum
 * takes the mean, so that the sum stays one. Everything lies in arrays that are used again and
 * again: a page that draws twenty charts a second must not leave garbage behind.
 */

/**
 * @typedef {import("./rows.js").Column} Column
 * @typedef {import("./rows.js").Rows} Rows
 * @typedef {import("./view.js").View} View
 * @typedef {import("./lines.js").Line} Line
 * @typedef {{ now: number, min: number, mean: number, max: number }} Figures  NaN where nothing is
 */

/** Each run of samples ends as two points. */
const RUN_PIXELS = 2;

/** The first row of each run, and the end behind the last. */
let starts = new Int32Array(4096);
let sums = new Float64Array(4096);

/**
 * Points over a view; a missing one is NaN, and breaks the line.
 */
export class Points {
  /** How many there are. */
  length = 0;
  times = new Float64Array(0);
  /** One array a line. @type {Float64Array[]} */
  heights = [];

  /**
   * @param {number} length
   * @param {number} lines
   */
  reset(length, lines) {
    if (this.times.length < length) {
      this.times = new Float64Array(length + 256);
      this.heights = [];
    }
    while (this.heights.length < lines) {
      this.heights.push(new Float64Array(this.times.length));
    }
    this.length = length;
  }
}

/**
 * Cuts the rows of a view into runs. They begin at multiples of their length, so that the picture
 * moves without shimmering; a break is a run of its own.
 * @param {Rows} rows
 * @param {View} view
 * @param {number} pixels  that the view is wide
 * @returns {number}  how many runs, 0 where each sample has room enough
 */
function cut(rows, { from, to, first, end }, pixels) {
  if (end - first <= 2 * pixels) {
    return 0;
  }
  starts = atLeast(starts, end - first + 1);
  const lengthMs = (RUN_PIXELS * (to - from)) / pixels;
  let count = 0;
  let run = NaN;
  for (let row = first; row < end; row += 1) {
    const at = rows.isBreak(row) ? NaN : Math.floor(rows.time[row] / lengthMs);
    // NaN differs from itself: a break never joins a run.
    if (at !== run) {
      starts[count] = row;
      count += 1;
      run = at;
    }
  }
  starts[count] = end;
  return count;
}

/**
 * The points of every line, and what their figures are over the view.
 * @param {Points} points  to be filled
 * @param {Line[]} lines
 * @param {Rows} rows
 * @param {View} view
 * @param {number} pixels
 * @param {Figures[]} [figures]  of each line, to be filled; a mirrored line's are as its values are
 */
export function fold(points, lines, rows, view, pixels, figures = []) {
  const { first, end } = view;
  const runs = cut(rows, view, pixels);
  points.reset(runs > 0 ? 2 * runs : end - first, lines.length);
  if (runs > 0) {
    for (let run = 0; run < runs; run += 1) {
      points.times[2 * run] = rows.time[starts[run]];
      points.times[2 * run + 1] = rows.time[starts[run + 1] - 1];
    }
  } else {
    points.times.set(rows.time.subarray(first, end));
  }
  sums = atLeast(sums, end - first);
  /** @type {Float64Array | null} */
  let below = null;
  lines.forEach((line, at) => {
    add(line, first, end);
    if (figures[at]) {
      describe(figures[at], end - first, view.last - first);
    }
    const heights = points.heights[at];
    if (line.mark === "stack") {
      thin(heights, first, end, runs, true);
      pile(heights, below, points.length);
      below = heights;
    } else {
      thin(heights, first, end, runs, line.mean === true);
      for (let point = 0; line.below && point < points.length; point += 1) {
        heights[point] = -heights[point];
      }
    }
  });
}

/**
 * Into `sums`: the line's value at each row, missing only where every part of it is.
 * @param {Line} line
 * @param {number} first
 * @param {number} end
 */
function add({ columns, highest }, first, end) {
  const [one, ...more] = columns;
  for (let row = first; row < end; row += 1) {
    let sum = one.values[row];
    for (let at = 0; at < more.length; at += 1) {
      const value = more[at].values[row];
      if (!Number.isNaN(value)) {
        sum = Number.isNaN(sum) ? value : highest ? Math.max(sum, value) : sum + value;
      }
    }
    sums[row - first] = sum;
  }
}

/**
 * @param {Figures} figures
 * @param {number} length
 * @param {number} last
 */
function describe(figures, length, last) {
  let min = Infinity;
  let max = -Infinity;
  let sum = 0;
  let count = 0;
  for (let at = 0; at < length; at += 1) {
    const value = sums[at];
    if (!Number.isNaN(value)) {
      min = Math.min(min, value);
      max = Math.max(max, value);
      sum += value;
      count += 1;
    }
  }
  figures.now = last >= 0 ? sums[last] : NaN;
  figures.min = count > 0 ? min : NaN;
  figures.max = count > 0 ? max : NaN;
  figures.mean = sum / count;
}

/**
 * @param {Float64Array} out
 * @param {number} first
 * @param {number} end
 * @param {number} runs
 * @param {boolean} mean
 */
function thin(out, first, end, runs, mean) {
  if (runs === 0) {
    out.set(sums.subarray(0, end - first));
    return;
  }
  for (let run = 0; run < runs; run += 1) {
    let lowest = NaN;
    let highest = NaN;
    let sum = 0;
    let count = 0;
    let rising = true;
    for (let at = starts[run] - first; at < starts[run + 1] - first; at += 1) {
      const value = sums[at];
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
    out[2 * run] = mean ? sum / count : rising ? lowest : highest;
    out[2 * run + 1] = mean ? sum / count : rising ? highest : lowest;
  }
}

/**
 * Puts a layer on the ones below it.
 * @param {Float64Array} heights
 * @param {Float64Array | null} below
 * @param {number} length
 */
function pile(heights, below, length) {
  for (let at = 0; below && at < length; at += 1) {
    heights[at] += below[at];
  }
}

/**
 * @template {Int32Array | Float64Array} Numbers
 * @param {Numbers} array
 * @param {number} length
 */
function atLeast(array, length) {
  return array.length >= length
    ? array
    : new /** @type {new (length: number) => Numbers} */ (array.constructor)(length + 1024);
}
