/**
 * What a viewer can set, by pointer and by key. Choices outlive the page.
 */

import { byId } from "./dom.js";
import { copy, flash } from "./clipboard.js";
import { SPANS } from "./shown.js";
import { recall, remember } from "./storage.js";
import { countNetworkInBytes } from "./units.js";

const WINDOW_KEY = "hostcast.window";
const THEME_KEY = "hostcast.theme";
const UNIT_KEY = "hostcast.unit";

export class Controls {
  #shown;
  #now;
  #window = byId("window", HTMLFieldSetElement);
  #pause = byId("pause", HTMLButtonElement);
  #behind = byId("behind", HTMLButtonElement);
  #unit = byId("unit", HTMLButtonElement);
  #link = byId("link", HTMLButtonElement);
  #theme = byId("theme", HTMLSelectElement);
  #raw = byId("raw", HTMLDetailsElement);

  /**
   * @param {import("./shown.js").Shown} shown
   * @param {() => number} now  of the host's clock
   * @param {() => void} onLook  the theme or a unit has changed
   */
  constructor(shown, now, onLook) {
    this.#shown = shown;
    this.#now = now;
    this.#window.addEventListener("change", (event) => {
      const { value } = /** @type {HTMLInputElement} */ (event.target);
      this.#choose(value);
    });
    this.#pause.addEventListener("click", () => this.#togglePause());
    this.#behind.addEventListener("click", () => shown.live());
    this.#link.addEventListener("click", async () => {
      flash(this.#link, (await copy(location.href)) ? "Copied" : "See the address");
    });
    this.#theme.value = useTheme(recall(THEME_KEY));
    this.#theme.addEventListener("change", () => {
      remember(THEME_KEY, useTheme(this.#theme.value));
      onLook();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onLook);
    const drawUnit = () => {
      const inBytes = recall(UNIT_KEY) === "bytes";
      countNetworkInBytes(inBytes);
      this.#unit.textContent = inBytes ? "B/s" : "bit/s";
    };
    this.#unit.addEventListener("click", () => {
      remember(UNIT_KEY, recall(UNIT_KEY) === "bytes" ? "" : "bytes");
      drawUnit();
      onLook();
    });
    drawUnit();
    byId("open-help", HTMLButtonElement).addEventListener("click", () => byId("help", HTMLDialogElement).showModal());
    document.addEventListener("keydown", (event) => this.#press(event));
    this.reflect();
  }

  /** The window that was chosen last, for whoever comes without a link. */
  static recallSpan() {
    const span = recall(WINDOW_KEY) ?? "";
    return SPANS.includes(span) ? Number(span) || "all" : 300_000;
  }

  /** Shows what is chosen. */
  reflect() {
    const { zoom, span, heldAt } = this.#shown;
    for (const radio of this.#window.querySelectorAll("input")) {
      radio.checked = zoom === null && radio.value === String(span);
    }
    const isPaused = heldAt !== null;
    this.#pause.setAttribute("aria-pressed", String(isPaused));
    this.#pause.textContent = isPaused ? "Resume" : "Pause";
  }

  /**
   * @param {string | null} text  how far behind the picture is, null for not at all
   */
  tellBehind(text) {
    this.#behind.hidden = text === null;
    if (text !== null && this.#behind.textContent !== text) {
      this.#behind.textContent = text;
    }
  }

  /** @param {string} value */
  #choose(value) {
    remember(WINDOW_KEY, value);
    this.#shown.choose(Number(value) || "all");
  }

  #togglePause() {
    if (this.#shown.heldAt === null) {
      this.#shown.pause(this.#now());
    } else {
      this.#shown.live();
    }
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const target = /** @type {Element} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || document.querySelector("dialog[open]")) {
      return;
    }
    // Space has its own meaning on these: it presses, picks or scrolls. Letters have one where there is a choice.
    if (event.key === " " ? target.closest("button, input, select, summary, a, ol") : target.closest("select")) {
      return;
    }
    const span = SPANS[Number(event.key) - 1];
    /** @type {Record<string, () => void>} */
    const keys = {
      " ": () => this.#togglePause(),
      l: () => this.#shown.live(),
      b: () => this.#unit.click(),
      c: () => this.#link.click(),
      s: () => byId("open-drawer", HTMLButtonElement).click(),
      "?": () => byId("open-help", HTMLButtonElement).click(),
      r: () => {
        this.#raw.open = !this.#raw.open;
        this.#raw.scrollIntoView({ block: "nearest" });
      },
      t: () => {
        this.#theme.selectedIndex = (this.#theme.selectedIndex + 1) % this.#theme.length;
        this.#theme.dispatchEvent(new Event("change"));
      },
    };
    const act = span && event.key !== " " ? () => this.#choose(span) : keys[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
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
