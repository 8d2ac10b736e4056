/**
 * What the page knows: the host, the series, the samples of the last hour and where they have
 * gaps. Messages go in, in the order they came; views read.
 */

import { Rows } from "./rows.js";

/**
 * @typedef {import("./protocol.js").Hello} Hello
 * @typedef {import("./protocol.js").Sample} Sample
 * @typedef {import("./rows.js").Column} Column
 * @typedef {{ from: number, to: number, reason: string }} Break  between two samples, in Unix ms
 */

export const HELD_MS = 3_600_000;
/** More than an hour at the shortest interval that there is: of a recording, a day at one second. */
export const MAX_ROWS = 90_000;
/** A host with very many series is held for less than an hour: this many values take 96 MiB. */
const MAX_VALUES = 12 * 1024 ** 2;

/** Clocks are slewed by less than this between two samples; what is more was a step. */
const CLOCK_STEP_MS = 2000;

export class Store {
  #heldMs;
  /** @type {Hello | null} */
  hello = null;
  intervalMs = 1000;
  rows = new Rows(HELD_MS / 1000);
  /**
   * Every series with held values, by id, also those the newest schema no longer has.
   * @type {Map<string, Column>}
   */
  columns = new Map();
  /**
   * Grows whenever `columns` changed.
   */
  revision = 0;
  /** Grows whenever more has changed than that a sample was added at the end. */
  changes = 0;
  /** @type {Break[]} */
  breaks = [];
  /** Gaps ever seen, drawn or not. */
  gapCount = 0;

  epoch = "";
  /** Of the newest sample in this epoch. */
  lastSeq = NaN;
  lastTime = NaN;

  /** @type {Column[]} in the order of the newest schema */
  #order = [];
  /**
   * The gap that the next sample ends.
   * @type {string | null}
   */
  #openGap = null;

  /** @param {number} [heldMs]  how much of the past is kept */
  constructor(heldMs = HELD_MS) {
    this.#heldMs = heldMs;
  }

  /**
   * @param {import("./protocol.js").Message} message
   * @returns {number} the host's time, where the message is of this very moment; NaN otherwise
   */
  take(message) {
    switch (message.type) {
      case "hello":
        this.greet(message);
        break;
      case "schema":
        this.setSchema(message.series);
        break;
      case "history":
        message.samples.forEach((sample) => this.append(sample));
        this.changes += 1;
        // The moment of a recording is that of its newest sample.
        return this.hello?.replay ? this.lastTime : NaN;
      case "gap":
        this.noteGap(message);
        break;
      case "notice":
        this.setInterval(message.intervalMs ?? this.intervalMs);
        this.#relabel(message.labels);
        break;
      case "sample":
        this.append(message.sample);
        return message.sample.time;
      case "heartbeat":
        return message.time;
    }
    return NaN;
  }

  /** @param {Hello} hello */
  greet(hello) {
    if (this.epoch !== "" && hello.epoch !== this.epoch) {
      this.#markGap("restarted");
      this.lastSeq = NaN;
    }
    this.hello = hello;
    this.epoch = hello.epoch;
    this.setInterval(hello.intervalMs);
  }

  /**
   * The host has other labels from now on.
   * @param {Record<string, string> | null} labels
   */
  #relabel(labels) {
    if (this.hello && labels) {
      this.hello = { ...this.hello, host: { ...this.hello.host, labels } };
    }
  }

  /** @param {number} intervalMs */
  setInterval(intervalMs) {
    this.intervalMs = intervalMs;
    const most = Math.min(MAX_ROWS, MAX_VALUES / Math.max(1, this.#order.length));
    this.rows.setCapacity(Math.floor(Math.min(most, Math.max(60, Math.ceil(this.#heldMs / intervalMs)))));
  }

  /** @param {import("./protocol.js").Series[]} series */
  setSchema(series) {
    const isSame = series.length === this.#order.length && series.every(({ id }, at) => id === this.#order[at].series.id);
    this.#order = series.map((one) => {
      const known = this.columns.get(one.id);
      if (known) {
        known.series = one;
        return known;
      }
      const column = this.rows.addColumn(one);
      this.columns.set(one.id, column);
      return column;
    });
    const left = [...this.columns].filter(([, column]) => !this.#order.includes(column) && !this.#holdsValues(column));
    for (const [id, column] of left) {
      this.columns.delete(id);
      this.rows.removeColumn(column);
    }
    // Every connection begins with a schema: where it is the one that is known, nothing has to be built anew.
    if (isSame && left.length === 0 && this.revision > 0) {
      return;
    }
    this.revision += 1;
    this.changes += 1;
    this.setInterval(this.intervalMs);
  }

  /** @param {import("./protocol.js").Gap} gap */
  noteGap(gap) {
    this.#markGap(gap.reason);
  }

  /** @param {Sample} sample */
  append(sample) {
    if (sample.seq <= this.lastSeq) {
      return; // history that overlaps what a lost connection had already brought
    }
    if (sample.missed) {
      this.#markGap(sample.missed.reason);
    } else if (sample.seq > this.lastSeq + 1) {
      this.#markGap("missing");
    }
    if (sample.time - this.lastTime > sample.elapsedMs + CLOCK_STEP_MS) {
      this.#markGap("clock_forward");
    }
    if (sample.time <= this.lastTime) {
      // The host's clock was set back: what was drawn from there on has no place any more.
      this.rows.truncate(sample.time);
      this.breaks = this.breaks.filter((one) => one.to < sample.time);
      for (const column of this.columns.values()) {
        column.readAt = -Infinity;
      }
      this.#markGap("clock");
    }
    this.#endGap(sample.time);

    const row = this.rows.push(sample.time, sample.seq);
    for (let at = 0; at < this.#order.length; at += 1) {
      this.#order[at].put(row, sample.time, sample.values[at] ?? NaN);
    }
    this.lastSeq = sample.seq;
    this.lastTime = sample.time;
  }

  /**
   * Where to resume.
   * @returns {string | null}
   */
  position() {
    return Number.isNaN(this.lastSeq) ? null : `${this.epoch}:${this.lastSeq}`;
  }

  /** @param {string} reason */
  #markGap(reason) {
    if (this.#openGap === null) {
      this.gapCount += 1;
      this.#openGap = reason;
    }
  }

  /** @param {number} to  the time of the sample that ends it */
  #endGap(to) {
    const { rows } = this;
    if (this.#openGap !== null && rows.end > rows.first) {
      const from = rows.time[rows.end - 1];
      rows.push((from + to) / 2, NaN);
      this.breaks.push({ from, to, reason: this.#openGap });
      this.breaks = this.breaks.filter((one) => one.to >= rows.time[rows.first]);
      this.changes += 1;
    }
    this.#openGap = null;
  }

  /** @param {Column} column */
  #holdsValues(column) {
    return column.values.subarray(this.rows.first, this.rows.end).some((value) => !Number.isNaN(value));
  }
}
