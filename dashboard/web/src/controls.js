/**
 * What a viewer can set: the time shown, pause, and the theme. Choices outlive the page.
 */

import { byId } from "./dom.js";

const WINDOW_KEY = "hostcast.window";
const THEME_KEY = "hostcast.theme";
const DEFAULT_SPAN = "300000";

export class Controls {
  #window = byId("window", HTMLFieldSetElement);
  #pause = byId("pause", HTMLButtonElement);
  #theme = byId("theme", HTMLSelectElement);

  /** @type {number | "all"} */
  span = "all";
  paused = false;

  /**
   * @param {object} reactions
   * @param {() => void} reactions.onChange  the span or pause
   * @param {() => void} reactions.onTheme
   */
  constructor({ onChange, onTheme }) {
    this.#useSpan(recall(WINDOW_KEY) ?? DEFAULT_SPAN);
    this.#window.addEventListener("change", (event) => {
      const { value } = /** @type {HTMLInputElement} */ (event.target);
      remember(WINDOW_KEY, value);
      this.#useSpan(value);
      onChange();
    });

    const toggle = () => {
      this.paused = !this.paused;
      this.#pause.setAttribute("aria-pressed", String(this.paused));
      this.#pause.textContent = this.paused ? "Resume" : "Pause";
      onChange();
    };
    this.#pause.addEventListener("click", toggle);
    document.addEventListener("keydown", (event) => {
      const target = /** @type {Element} */ (event.target);
      // Space has its own meaning on these: it presses, picks or scrolls.
      const taken = target.closest("button, input, select, summary, a, ol");
      if (event.key === " " && !taken && !event.repeat) {
        event.preventDefault();
        toggle();
      }
    });

    this.#theme.value = useTheme(recall(THEME_KEY));
    this.#theme.addEventListener("change", () => {
      remember(THEME_KEY, useTheme(this.#theme.value));
      onTheme();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onTheme);
  }

  /** @param {string} value */
  #useSpan(value) {
    for (const radio of this.#window.querySelectorAll("input")) {
      radio.checked = radio.value === value;
    }
    this.span = Number(value) > 0 ? Number(value) : "all";
  }
}

/**
 * @param {string | null} theme
 * @returns {string} the theme in use: light, dark, or auto for the system's
 */
function useTheme(theme) {
  if (theme === "light" || theme === "dark") {
    document.documentElement.dataset.theme = theme;
    return theme;
  }
  delete document.documentElement.dataset.theme;
  return "auto";
}

/**
 * Storage may be forbidden; then choices last as long as the page.
 * @param {string} key
 */
function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/**
 * @param {string} key
 * @param {string} value
 */
function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Not kept: see `recall`.
  }
}
