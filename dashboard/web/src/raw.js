/**
 * What comes over the wire, as it comes: for whoever wants to write a client. Nothing is put into
 * the document while the panel is closed.
 */

import { copy, flash } from "./clipboard.js";
import { byId, element } from "./dom.js";
import { SUBPROTOCOL } from "./protocol.js";

const KEPT = 10;
/** A chunk of history is up to 64 KiB; its beginning tells what it is. */
const LONGEST = 2000;

export class RawPanel {
  #panel = byId("raw", HTMLDetailsElement);
  #list = byId("raw-messages", HTMLElement);
  #pause = byId("raw-pause", HTMLButtonElement);
  /** @type {string[]} newest first */
  #messages = [];
  #dirty = false;
  #paused = false;

  /**
   * @param {string} page  the page's own URL
   * @param {() => void} onOpened
   */
  constructor(page, onOpened) {
    byId("commands", HTMLElement).append(...commands(page).map(commandRow));
    this.#panel.addEventListener("toggle", onOpened);
    this.#pause.addEventListener("click", () => {
      this.#paused = !this.#paused;
      this.#pause.setAttribute("aria-pressed", String(this.#paused));
      this.#pause.textContent = this.#paused ? "Resume" : "Pause";
      onOpened();
    });
  }

  /** @param {string} text */
  add(text) {
    this.#messages.unshift(text);
    this.#messages.length = Math.min(KEPT, this.#messages.length);
    this.#dirty = true;
  }

  draw() {
    if (!this.#panel.open || this.#paused || !this.#dirty) {
      return;
    }
    this.#dirty = false;
    this.#list.replaceChildren(...this.#messages.map((text) => element("li", { text: shortened(text) })));
  }
}

/**
 * The page's address is all that a command needs to reach the same daemon, prefix included.
 * @param {string} page
 */
function commands(page) {
  const samples = new URL("api/v1/samples?format=ndjson&follow=true", page).href;
  const stream = new URL("api/v1/stream", page).href.replace(/^http/, "ws");
  return [`curl -N '${samples}'`, `websocat -U --protocol ${SUBPROTOCOL} '${stream}'`];
}

/** @param {string} command */
function commandRow(command) {
  const code = element("code", { text: command });
  const button = element("button", { class: "button", text: "Copy", attributes: { type: "button" } });
  button.addEventListener("click", async () => flash(button, (await copy(command, code)) ? "Copied" : "Selected"));
  return element("div", { class: "command" }, [code, button]);
}

/** @param {string} text */
function shortened(text) {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}… (${text.length} characters)`;
}
