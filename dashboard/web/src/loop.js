/**
 * The page's one animation loop. It runs only when something changed, at most ten times a second
 * (once for those who asked for less motion), and not at all while nobody can see it.
 */

const FRAME_MS = 100;
const CLOCK_MS = 1000;

export class Loop {
  #draw;
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #requested = false;
  #drawnAt = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {() => void} draw */
  constructor(draw) {
    this.#draw = draw;
    document.addEventListener("visibilitychange", () => this.invalidate());
  }

  /** Something that is shown has changed. */
  invalidate() {
    if (this.#requested || document.hidden) {
      return;
    }
    this.#requested = true;
    clearTimeout(this.#timer);
    const pause = this.#calm.matches ? CLOCK_MS : FRAME_MS;
    const wait = this.#drawnAt + pause - performance.now();
    this.#timer = setTimeout(() => requestAnimationFrame(() => this.#frame()), Math.max(0, wait));
  }

  #frame() {
    this.#requested = false;
    this.#drawnAt = performance.now();
    this.#draw();
    // Time moves on, also when no sample comes.
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.invalidate(), CLOCK_MS);
  }
}
