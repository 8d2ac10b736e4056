/**
 * The held past, one row a sample, one column a series. Arrays are a little longer than what is
 * kept: rows are appended until the end is reached, then the kept ones move to the front. So every
 * range of rows is one contiguous piece of memory, which a ring with a wrapping index is not.
 *
 * Values are held as the stream says them, so that a legend or a file says the same. A row whose
 * `seq` is NaN is a break: it stands between two samples that no line may join.
 */

const FIRST_LENGTH = 1024;
/** Of what is kept: how much longer the arrays become while more is to be kept, and when it is all. */
const GROWTH = 1 / 4;
const SLACK = 1 / 8;

export class Column {
  /**
   * @param {import("./protocol.js").Series} series
   * @param {number} length
   */
  constructor(series, length) {
    this.series = series;
    this.values = new Float64Array(length).fill(NaN);
    /**
     * 1 where the value is an older reading that still holds: only a series that is read less often than each tick
     * has any.
     * @type {Uint8Array | null}
     */
    this.held = null;
    /** Its newest reading, and when it was taken. */
    this.reading = NaN;
    this.readAt = -Infinity;
  }

  /**
   * What it says at a row, as a person would read it off: a series that is read every ten seconds keeps its reading
   * until the next is overdue.
   * @param {number} row
   * @param {number} time
   * @param {number} value  NaN for none at this tick
   */
  put(row, time, value) {
    const { intervalMs } = this.series;
    if (!Number.isNaN(value)) {
      this.reading = value;
      this.readAt = time;
    }
    const holds = intervalMs !== null && Number.isNaN(value) && time - this.readAt <= 2 * intervalMs;
    this.values[row] = holds ? this.reading : value;
    if (holds) {
      this.held ??= new Uint8Array(this.values.length);
    }
    if (this.held) {
      this.held[row] = holds ? 1 : 0;
    }
  }

  /**
   * Whether the value at a row was read before that.
   * @param {number} row
   */
  isHeld(row) {
    return this.held?.[row] === 1;
  }
}

export class Rows {
  #capacity;
  /** @type {Set<Column>} */
  #columns = new Set();

  /** Unix milliseconds, strictly growing. */
  time = new Float64Array(FIRST_LENGTH);
  seq = new Float64Array(FIRST_LENGTH);
  /** The kept rows are `first..end`; both change with `push`, so hold them for one draw only. */
  first = 0;
  end = 0;
  /** Kept rows that are samples. */
  samples = 0;
  /** Rows that were moved out at the front so far: with it, the number of a row stays the same for ever. */
  gone = 0;
  /** Grows when rows were taken back. */
  era = 0;

  /** @param {number} capacity */
  constructor(capacity) {
    this.#capacity = capacity;
  }

  /** @param {number} capacity */
  setCapacity(capacity) {
    this.#capacity = capacity;
    this.#trim();
  }

  /** @param {import("./protocol.js").Series} series */
  addColumn(series) {
    const column = new Column(series, this.time.length);
    this.#columns.add(column);
    return column;
  }

  /** @param {Column} column */
  removeColumn(column) {
    this.#columns.delete(column);
  }

  /**
   * Appends a row that has no values yet.
   * @param {number} time
   * @param {number} seq  NaN for a break
   * @returns {number} its index
   */
  push(time, seq) {
    if (this.end === this.time.length) {
      this.#makeRoom();
    }
    const row = this.end;
    this.time[row] = time;
    this.seq[row] = seq;
    this.end += 1;
    this.samples += Number.isNaN(seq) ? 0 : 1;
    this.#trim();
    return row;
  }

  /**
   * Forgets every row at `time` or later.
   * @param {number} time
   */
  truncate(time) {
    const end = this.lowerBound(time);
    for (let row = end; row < this.end; row += 1) {
      this.samples -= this.isBreak(row) ? 0 : 1;
    }
    for (const column of this.#columns) {
      column.values.fill(NaN, end, this.end);
      column.held?.fill(0, end, this.end);
    }
    this.end = end;
    this.era += 1;
  }

  /** @param {number} row */
  isBreak(row) {
    return Number.isNaN(this.seq[row]);
  }

  /**
   * @param {number} time
   * @returns {number} the first kept row at `time` or later
   */
  lowerBound(time) {
    let low = this.first;
    let high = this.end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.time[middle] < time) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  #trim() {
    while (this.end - this.first > this.#capacity) {
      this.samples -= this.isBreak(this.first) ? 0 : 1;
      this.first += 1;
    }
  }

  #makeRoom() {
    const { first, end } = this;
    const kept = end - first;
    const wanted = Math.min(kept * (1 + GROWTH), this.#capacity * (1 + SLACK));
    const length = Math.max(this.time.length, Math.ceil(wanted) + 1);
    /**
     * @template {Float64Array | Uint8Array} Numbers
     * @param {Numbers} old
     */
    const moved = (old) => {
      if (length === old.length) {
        return /** @type {Numbers} */ (old.copyWithin(0, first, end).fill(NaN, kept));
      }
      const fresh = new /** @type {new (length: number) => Numbers} */ (old.constructor)(length);
      fresh.set(old.subarray(first, end));
      return /** @type {Numbers} */ (fresh.fill(NaN, kept));
    };
    this.time = moved(this.time);
    this.seq = moved(this.seq);
    for (const column of this.#columns) {
      column.values = moved(column.values);
      column.held &&= moved(column.held);
    }
    this.gone += first;
    this.first = 0;
    this.end = kept;
  }
}
