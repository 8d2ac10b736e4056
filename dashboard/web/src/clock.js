/**
 * The host's clock, as far as this page can tell. The axis moves by it even when nothing arrives,
 * and a viewer whose own clock is off by minutes still sees the newest sample at the right edge.
 */

const REMEMBERED = 60;

/** Further behind than any delay worth modelling: the host's clock was set back. */
const SET_BACK_MS = 10_000;

export class HostClock {
  /** @type {number[]} */
  #offsets = [];
  #speed;
  #end;

  /**
   * @param {number} [speed]  how fast the host's time goes; that of a recording may stand, or run
   * @param {number} [end]  Unix time at which it stops
   */
  constructor(speed = 1, end = Infinity) {
    this.#speed = speed;
    this.#end = end;
  }

  /**
   * @param {number} hostMs  Unix time that a message was stamped with
   * @param {number} localMs  a clock of this page that never goes back
   */
  observe(hostMs, localMs) {
    const offset = hostMs - this.#speed * localMs;
    if (offset < Math.max(...this.#offsets) - SET_BACK_MS) {
      this.#offsets = [];
    }
    this.#offsets.push(offset);
    if (this.#offsets.length > REMEMBERED) {
      this.#offsets.shift();
    }
  }

  /**
   * The message that travelled fastest says it best: delays only ever make the host look behind.
   * @param {number} localMs
   * @returns {number} Unix milliseconds, NaN before the first message
   */
  now(localMs) {
    return this.#offsets.length === 0
      ? NaN
      : Math.min(this.#end, this.#speed * localMs + Math.max(...this.#offsets));
  }
}
