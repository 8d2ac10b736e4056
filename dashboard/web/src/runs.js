/**
 * What lines were over short stretches of time, remembered from one picture to the next. An hour of samples is far
 * more than a chart has pixels, and nothing that lies in the past changes: with each picture only the newest stretch is
 * worked out again.
 */

import { readingOf } from "./lines.js";

/**
 * @typedef {import("./rows.js").Rows} Rows
 * @typedef {import("./view.js").View} View
 * @typedef {import("./lines.js").Line} Line
 * @typedef {{ now: number, min: number, mean: number, max: number }} Figures  NaN where nothing is
 */

/** A run is about as wide as this, a little more at most. */
const RUN_PIXELS = 2;
/** Lengths are of this scale, so that a view which grows with every sample keeps its runs for a while. */
const STEPS_PER_DOUBLING = 4;
const FIRST_LENGTH = 256;

/** Of one line; all lines of a chart have the same runs. */
class Track {
  low = new Float64Array(FIRST_LENGTH);
  high = new Float64Array(FIRST_LENGTH);
  sum = new Float64Array(FIRST_LENGTH);
  count = new Uint16Array(FIRST_LENGTH);
  /** Whether the lowest came before the highest. */
  rising = new Uint8Array(FIRST_LENGTH);

  /** @param {Line} line */
  constructor(line) {
    this.line = line;
  }

  /**
   * @param {number} from  the first run that is kept, which becomes the first of all
   * @param {number} length  of the arrays
   */
  move(from, length) {
    this.low = moved(this.low, from, length);
    this.high = moved(this.high, from, length);
    this.sum = moved(this.sum, from, length);
    this.count = moved(this.count, from, length);
    this.rising = moved(this.rising, from, length);
  }
}

/**
 * Cuts the rows of a view into runs. They begin at multiples of their length, so that the picture moves without
 * shimmering; a break is a run of its own. Where each sample has room enough it is a run, too.
 */
export class Runs {
  tracks;
  /** The runs of the view are `first..end`. */
  first = 0;
  end = 0;
  /** Whether each run is one row. */
  areRows = true;
  #lengthMs = NaN;
  #era = NaN;
  /** Where each begins, and at `end` where the last one ends: rows, counted since there are any. */
  #starts = new Float64Array(FIRST_LENGTH + 1);

  /** @param {Line[]} lines */
  constructor(lines) {
    this.tracks = lines.map((line) => new Track(line));
  }

  /**
   * @param {Rows} rows
   * @param {View} view
   * @param {number} pixels  that the view is wide
   */
  update(rows, view, pixels) {
    const [first, end] = [view.first + rows.gone, view.end + rows.gone];
    const lengthMs = view.end - view.first <= 2 * pixels ? 0 : roundedUp((RUN_PIXELS * (view.to - view.from)) / pixels);
    const goesOn = lengthMs === this.#lengthMs && rows.era === this.#era && first >= this.#starts[this.first];
    if (!goesOn || end < this.#starts[this.end] || first >= this.#starts[this.end]) {
      this.#lengthMs = lengthMs;
      this.#era = rows.era;
      this.areRows = lengthMs === 0;
      this.first = this.end = 0;
      this.#starts[0] = first;
    }
    while (this.first < this.end && this.#starts[this.first + 1] <= first) {
      this.first += 1;
    }
    if (this.first >= FIRST_LENGTH) {
      this.#forgetOldest();
    }
    // The newest may have gone on.
    this.end = Math.max(this.first, this.end - 1);
    this.#cut(rows, end);
  }

  /**
   * @param {number} run
   * @param {Rows} rows
   * @returns {number} its first row
   */
  startOf(run, rows) {
    return this.#starts[run] - rows.gone;
  }

  /**
   * What is told of a line over a view, which `update` has seen.
   * @param {Track} track
   * @param {Rows} rows
   * @param {View} view
   * @param {Figures} figures  to be filled
   */
  describe({ line, low, high, sum, count }, rows, view, figures) {
    let [least, most, total, values] = [Infinity, -Infinity, 0, 0];
    // Of the first run only a part may be in the view.
    const whole = this.startOf(this.first, rows) >= view.first ? this.first : this.first + 1;
    for (let row = view.first; whole > this.first && row < Math.min(view.end, this.startOf(whole, rows)); row += 1) {
      const value = readingOf(line.columns, row, line.highest);
      if (!Number.isNaN(value)) {
        [least, most, total, values] = [Math.min(least, value), Math.max(most, value), total + value, values + 1];
      }
    }
    for (let run = whole; run < this.end; run += 1) {
      if (count[run] > 0) {
        least = Math.min(least, low[run]);
        most = Math.max(most, high[run]);
        total += sum[run];
        values += count[run];
      }
    }
    figures.now = view.last >= 0 ? readingOf(line.columns, view.last, line.highest) : NaN;
    figures.min = values > 0 ? least : NaN;
    figures.max = values > 0 ? most : NaN;
    figures.mean = total / values;
  }

  /**
   * Goes on from where the last run begins.
   * @param {Rows} rows
   * @param {number} to
   */
  #cut(rows, to) {
    const known = this.end;
    let stretch = -1;
    for (let row = this.#starts[known]; row < to; row += 1) {
      const at = row - rows.gone;
      const here = rows.isBreak(at) ? NaN : this.areRows ? row : Math.floor(rows.time[at] / this.#lengthMs);
      // NaN differs from itself: a break never joins a run.
      if (here !== stretch) {
        stretch = here;
        this.#starts[this.end] = row;
        this.end += 1;
        if (this.end === this.#starts.length) {
          this.#starts = moved(this.#starts, 0, 2 * this.end);
        }
      }
    }
    this.#starts[this.end] = to;
    for (const track of this.tracks) {
      if (track.low.length < this.end) {
        track.move(0, this.end + FIRST_LENGTH);
      }
      this.#summarize(track, rows, known);
    }
  }

  /**
   * @param {Track} track
   * @param {Rows} rows
   * @param {number} from  the first run that is not summarized yet
   */
  #summarize({ line, low, high, sum, count, rising }, rows, from) {
    for (let run = from; run < this.end; run += 1) {
      let least = NaN;
      let most = NaN;
      let total = 0;
      let values = 0;
      let up = 1;
      const end = this.startOf(run + 1, rows);
      for (let row = this.startOf(run, rows); row < end; row += 1) {
        const value = readingOf(line.columns, row, line.highest);
        if (Number.isNaN(value)) {
          continue;
        }
        total += value;
        values += 1;
        if (!(value >= least)) {
          least = value;
          up = 0;
        }
        if (!(value <= most)) {
          most = value;
          up = 1;
        }
      }
      low[run] = least;
      high[run] = most;
      sum[run] = total;
      count[run] = values;
      rising[run] = up;
    }
  }

  #forgetOldest() {
    this.#starts = moved(this.#starts, this.first, this.#starts.length);
    for (const track of this.tracks) {
      track.move(this.first, track.low.length);
    }
    this.end -= this.first;
    this.first = 0;
  }
}

/**
 * @template {Float64Array | Uint16Array | Uint8Array} Numbers
 * @param {Numbers} old
 * @param {number} from
 * @param {number} length
 * @returns {Numbers}
 */
function moved(old, from, length) {
  if (length === old.length) {
    return /** @type {Numbers} */ (old.copyWithin(0, from));
  }
  const fresh = new /** @type {new (length: number) => Numbers} */ (old.constructor)(length);
  fresh.set(old.subarray(from));
  return fresh;
}

/**
 * A length that stays the same while it grows a little.
 * @param {number} lengthMs
 */
export function roundedUp(lengthMs) {
  return 2 ** (Math.ceil(STEPS_PER_DOUBLING * Math.log2(lengthMs)) / STEPS_PER_DOUBLING);
}
