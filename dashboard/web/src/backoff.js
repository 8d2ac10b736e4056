/**
 * How long to wait before the next attempt: full jitter under a ceiling that doubles, so that the
 * pages of a whole office do not come back to a restarted daemon in the same instant.
 */

const FIRST_CEILING_MS = 500;
const LAST_CEILING_MS = 10_000;

export class Backoff {
  #random;
  #attempt = 0;

  /** @param {() => number} random  uniform in [0, 1) */
  constructor(random = Math.random) {
    this.#random = random;
  }

  reset() {
    this.#attempt = 0;
  }

  /**
   * @param {number | null} retryMs  what the server's `bye` asked for, if it said one
   * @returns {number} milliseconds
   */
  next(retryMs = null) {
    const first = retryMs ?? FIRST_CEILING_MS;
    const last = Math.max(LAST_CEILING_MS, first);
    const ceiling = Math.min(last, first * 2 ** this.#attempt);
    this.#attempt += 1;
    return this.#random() * ceiling;
  }
}
