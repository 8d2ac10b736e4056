/**
 * From the runs of a view to the points of a picture. A line keeps the lowest and the highest of each run, so that no
 * peak is lost; what is part of a sum takes the mean, so that the sum stays one. Everything lies in arrays that are
 * used again and again: a page that draws twenty charts a second must not leave garbage behind.
 */

/**
 * @typedef {import("./rows.js").Rows} Rows
 * @typedef {import("./runs.js").Runs} Runs
 * @typedef {import("./view.js").View} View
 */

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
 * @param {Points} points  to be filled
 * @param {Runs} runs  of the view
 * @param {Rows} rows
 * @param {View} view
 * @param {(line: import("./lines.js").Line) => boolean} [isDrawn]  the others have no points
 */
export function fold(points, runs, rows, view, isDrawn = () => true) {
  const { first, end, areRows } = runs;
  const tracks = runs.tracks.filter(({ line }) => isDrawn(line));
  // A run of many is two points.
  const each = areRows ? 1 : 2;
  points.reset(each * (end - first), tracks.length);
  for (let run = first, point = 0; run < end; run += 1, point += each) {
    points.times[point + each - 1] = rows.time[runs.startOf(run + 1, rows) - 1];
    points.times[point] = rows.time[Math.max(view.first, runs.startOf(run, rows))];
  }
  /** @type {Float64Array | null} */
  let below = null;
  tracks.forEach(({ line, low, high, sum, count, rising }, at) => {
    const heights = points.heights[at];
    const isSum = line.mark === "stack" || line.mean === true;
    const sign = line.below ? -1 : 1;
    for (let run = first, point = 0; run < end; run += 1, point += each) {
      const mean = sum[run] / count[run];
      heights[point] = sign * (isSum ? mean : rising[run] ? low[run] : high[run]);
      heights[point + each - 1] = sign * (isSum ? mean : rising[run] ? high[run] : low[run]);
    }
    if (line.mark === "stack") {
      pile(heights, below, points.length);
      below = heights;
    }
  });
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
