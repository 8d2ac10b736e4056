/**
 * The cells of a heat map, as pixels: a row a core, a column a stretch of time. They are kept from one picture to the
 * next: with time they move to the left, and only new samples are looked at.
 */

/**
 * @typedef {import("./rows.js").Rows} Rows
 * @typedef {import("./rows.js").Column} Column
 * @typedef {import("./view.js").View} View
 */

/** To the left of the view: the edge of one that grows sways by less, and would have everything painted anew. */
const SPARE = 2;

export class HeatCells {
  /**
   * How many a core needs at the least.
   * @param {number} most  that a view shows
   */
  static enough(most) {
    return Math.ceil(most) + 2 + 2 * SPARE;
  }

  width = 0;
  pixels = new Uint32Array(0);
  /** All that the pixels depend on, but for where they are. */
  #key = "";
  /** From ratio 0 to 1. @type {Uint32Array | null} */
  #ramp = null;
  #firstCell = 0;
  /** The first row that was painted; counted since there are any. */
  #firstRow = 0;
  /** The first row of the newest cell, which may not be full; counted since there are any. */
  #nextRow = 0;
  #columns;

  /** @param {Column[]} columns  ratios */
  constructor(columns) {
    this.#columns = columns;
  }

  /**
   * @param {Rows} rows
   * @param {number} intervalMs
   * @param {View} view
   * @param {number} cellMs
   * @param {number} width  how many there are a core
   * @param {Uint32Array} ramp
   * @returns {number} the time at the left edge of the first column
   */
  update(rows, intervalMs, view, cellMs, width, ramp) {
    // Cells lie on multiples of their width, so that the picture moves without shimmering.
    const firstCell = Math.floor(view.from / cellMs) - SPARE;
    const key = [width, cellMs, intervalMs, rows.era].join();
    const moved = firstCell - this.#firstCell;
    const isPainted = this.#firstRow <= view.first + rows.gone && this.#nextRow <= view.end + rows.gone;
    const goesOn = key === this.#key && ramp === this.#ramp && moved >= -SPARE && isPainted;
    if (!goesOn) {
      this.#key = key;
      this.#ramp = ramp;
      this.#nextRow = 0;
      this.#firstRow = view.first + rows.gone;
      this.#firstCell = firstCell;
      this.width = width;
      this.pixels = new Uint32Array(width * this.#columns.length);
    } else if (moved > 0) {
      this.#firstCell = firstCell;
      this.pixels.copyWithin(0, moved);
      for (let end = width; end <= this.pixels.length; end += width) {
        this.pixels.fill(0, Math.max(end - width, end - moved), end);
      }
    }
    const first = Math.max(view.first, this.#nextRow - rows.gone);
    const spans = spansOf(rows, first, view.end, cellMs, intervalMs);
    this.#columns.forEach(({ values }, core) => this.#fill(core * width, values, first, spans, ramp));
    this.#nextRow = first + spans.newest + rows.gone;
    return this.#firstCell * cellMs;
  }

  /**
   * Where several samples fall into one cell, that shows their mean.
   * @param {number} start  where the pixels of this core begin
   * @param {Float64Array} values
   * @param {number} first  row
   * @param {{ from: Float64Array, to: Float64Array }} spans  of the rows from there on
   * @param {Uint32Array} ramp
   */
  #fill(start, values, first, { from, to }, ramp) {
    const { pixels, width } = this;
    const firstCell = this.#firstCell;
    let cell = NaN;
    let sum = 0;
    let count = 0;
    for (let at = 0; at < from.length; at += 1) {
      const ratio = values[first + at];
      if (Number.isNaN(ratio) || to[at] === 0) {
        continue;
      }
      if (from[at] !== cell) {
        sum = 0;
        count = 0;
      }
      sum += ratio;
      count += 1;
      cell = from[at];
      const shade = ramp[Math.round(Math.min(1, Math.max(0, sum / count)) * (ramp.length - 1))];
      const end = Math.min(to[at] - firstCell, width);
      for (let x = Math.max(cell - firstCell, 0); x < end; x += 1) {
        pixels[start + x] = shade;
      }
    }
  }
}

/**
 * A sample tells of the time since the sample before it, so it fills the cells of that span. A break fills none.
 * @param {Rows} rows
 * @param {number} first
 * @param {number} end
 * @param {number} cellMs
 * @param {number} intervalMs
 */
function spansOf(rows, first, end, cellMs, intervalMs) {
  const from = new Float64Array(end - first);
  const to = new Float64Array(end - first);
  /** The first of those that begin in the newest cell. */
  let newest = 0;
  for (let row = first; row < end; row += 1) {
    if (rows.isBreak(row)) {
      continue;
    }
    const isJoined = row > rows.first && !rows.isBreak(row - 1);
    const at = row - first;
    from[at] = Math.round((isJoined ? rows.time[row - 1] : rows.time[row] - intervalMs) / cellMs);
    to[at] = Math.max(Math.round(rows.time[row] / cellMs), from[at] + 1);
    newest = from[at] === from[newest] ? newest : at;
  }
  return { from, to, newest };
}
