/**
 * The held past, one row a sample, one column a series. Arrays are twice as long as what is kept:
 * rows are appended until the end is reached, then the kept half moves to the front. So every
 * range of rows is one contiguous piece of memory, which a ring with a wrapping index is not.
 *
 * A row whose `seq` is NaN is a break: it stands between two samples that no line may join.
 */

const FIRST_LENGTH = 1024;

export class Column {
  /**
   * @param {import("./protocol.js").Series} series
   * @param {number} length
   */
  constructor(series, length) {
    this.series = series;
    this.values = new Float64Array(length).fill(NaN);
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
    }
    this.end = end;
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

  /**
   * A value as a person would read it off at this row: a series that is read every ten seconds
   * keeps its last reading until the next is overdue.
   * @param {Column} column
   * @param {number} row
   */
  reading(column, row) {
    const { intervalMs } = column.series;
    if (intervalMs === null) {
      return column.values[row] ?? NaN;
    }
    for (let at = row; at >= this.first && this.time[row] - this.time[at] <= 2 * intervalMs; at -= 1) {
      if (!Number.isNaN(column.values[at])) {
        return column.values[at];
      }
    }
    return NaN;
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
    const length = kept * 2 > this.time.length ? this.time.length * 2 : this.time.length;
    /** @param {Float64Array<ArrayBuffer>} old */
    const moved = (old) => {
      const fresh = length === old.length ? old.copyWithin(0, first, end) : new Float64Array(length);
      if (fresh !== old) {
        fresh.set(old.subarray(first, end));
      }
      return fresh.fill(NaN, kept);
    };
    this.time = moved(this.time);
    this.seq = moved(this.seq);
    for (const column of this.#columns) {
      column.values = moved(column.values);
    }
    this.first = 0;
    this.end = kept;
  }
}
