/**
 * The page's one animation loop. It runs only when something changed, no more often than the time
 * axis moves by a pixel (once a second for those who asked for less motion), and not at all while
 * nobody can see it.
 */

const CLOCK_MS = 1000;
/** Drawing may take this part of the time: a wall of charts, or a slow machine, gets fewer pictures a second. */
const SHARE = 1 / 25;

export class Loop {
  #draw;
  #pixelMs;
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #requested = false;
  #drawnAt = -Infinity;
  #tookMs = 0;
  #picture = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {() => boolean} draw  whether that was all; if not it goes on with the next picture
   * @param {() => number} pixelMs  how much time one pixel shows
   */
  constructor(draw, pixelMs) {
    this.#draw = draw;
    this.#pixelMs = pixelMs;
    document.addEventListener("visibilitychange", () => this.refresh());
  }

  /** The data has changed. */
  invalidate() {
    if (!this.#requested && !document.hidden) {
      const pause = this.#calm.matches ? CLOCK_MS : Math.min(CLOCK_MS, Math.max(this.#pixelMs(), this.#tookMs / SHARE));
      this.#request(this.#drawnAt + pause - performance.now());
    }
  }

  /** A person has changed something, and waits to see it. */
  refresh() {
    this.#request(0);
  }

  /** @param {number} wait */
  #request(wait) {
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#picture);
    this.#requested = !document.hidden;
    if (this.#requested) {
      this.#timer = setTimeout(() => (this.#picture = requestAnimationFrame(() => this.#frame())), Math.max(0, wait));
    }
  }

  #frame() {
    this.#requested = false;
    this.#drawnAt = performance.now();
    const isAll = this.#draw();
    // The better part of the cost is what the browser makes of it, which it does before any timer.
    setTimeout(() => (this.#tookMs = performance.now() - this.#drawnAt));
    // Time moves on, also when no sample comes.
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.invalidate(), CLOCK_MS);
    if (!isAll) {
      this.refresh();
    }
  }
}
