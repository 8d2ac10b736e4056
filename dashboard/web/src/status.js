/**
 * The masthead's account of where the data comes from and whether it still does.
 */

import { byId, element, setText } from "./dom.js";
import { readingOf } from "./lines.js";
import { replayTitle, replayedText } from "./replay.js";
import { inNaturalOrder, plain } from "./selection.js";
import { ageText, stateOf, STATE_TEXT } from "./state.js";
import { bytes, duration, percent, text, zonedTime } from "./units.js";

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./connection.js").Link} Link
 */

const BANNER_MS = 8000;

/**
 * Of the page. The build puts a text there; "" where it does not know it.
 * @type {string}
 */
// @ts-ignore: nobody declares what only the build knows
const PAGE_VERSION = HOSTCAST_VERSION;

export class Status {
  #store;
  #pill = byId("state", HTMLElement);
  #pillText = byId("state-text", HTMLElement);
  #age = byId("age", HTMLElement);
  #announcer = byId("announcer", HTMLElement);
  #banner = byId("banner", HTMLElement);
  #bannerText = byId("banner-text", HTMLElement);
  #bannerAction = byId("banner-action", HTMLButtonElement);
  #facts = byId("host-facts", HTMLElement);
  #footer = byId("footer", HTMLElement);
  /** @type {Link} */
  #link = { phase: "connecting", detail: "" };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #bannerTimer;

  /** @param {Store} store */
  constructor(store) {
    this.#store = store;
    this.#bannerAction.addEventListener("click", () => location.reload());
    // Only for who points at it: what the browser needs for the names of zones takes it 10 ms to load.
    this.#age.addEventListener("pointerenter", () => {
      const { lastTime } = this.#store;
      this.#age.title = Number.isNaN(lastTime) ? "" : `newest sample: ${zonedTime(lastTime)}`;
    });
  }

  /** @param {Link} link */
  setLink(link) {
    this.#link = link;
    if (link.phase === "ended") {
      this.#bannerAction.textContent = link.remedy ?? "Try again";
      this.#say(`The stream has ended: ${link.detail}.`, true);
    }
  }

  /**
   * A short message that goes away by itself.
   * @param {string} message
   */
  tell(message) {
    this.#say(message, false);
    this.#bannerTimer = setTimeout(() => {
      this.#banner.hidden = true;
    }, BANNER_MS);
  }

  /**
   * @param {number} now  of the host's clock
   * @param {boolean} isHeld  whether the picture stands still
   */
  draw(now, isHeld) {
    const { lastTime, hello } = this.#store;
    const replay = hello?.replay;
    const age = Math.max(0, now - lastTime);
    const state = this.stateAt(now);
    if (state !== this.#pill.dataset.state) {
      this.#pill.dataset.state = state;
      document.documentElement.dataset.state = state;
      setText(this.#announcer, `Connection: ${STATE_TEXT[state].toLowerCase()}`);
    }
    document.documentElement.toggleAttribute("data-paused", isHeld);
    setText(this.#pillText, replay && state === "replay" ? replayTitle(replay) : STATE_TEXT[state]);
    setText(this.#age, replay ? replayedText(replay, now) : ageText(age, this.#store.intervalMs));
    this.#age.dataset.value = Number.isNaN(age) ? "" : String(Math.round(age));
    this.#drawFacts();
  }

  /** @param {number} now */
  stateAt(now) {
    const { hello, lastTime, intervalMs } = this.#store;
    // What is of another time is never live, and cannot be late.
    return hello?.replay && this.#link.phase === "live"
      ? "replay"
      : stateOf(this.#link.phase, Math.max(0, now - lastTime), intervalMs);
  }

  /** The host's name, labels and title, which change only with a `hello` or a `notice`. */
  drawHost() {
    const { hello } = this.#store;
    if (!hello) {
      return;
    }
    const { name, labels } = hello.host;
    this.#compareVersions(hello.server);
    setText(byId("host-name", HTMLElement), name || "unnamed host");
    document.title = `${name} · ${hello.replay ? "replay · " : ""}hostcast`;
    const list = byId("host-labels", HTMLElement);
    const entries = Object.entries(labels);
    list.replaceChildren(
      ...entries.map(([key, value]) =>
        element("li", { class: "label" }, [element("span", { class: "label-key", text: key }), value]),
      ),
    );
    list.hidden = entries.length === 0;
  }

  #drawFacts() {
    const { hello, columns, rows } = this.#store;
    if (!hello) {
      return;
    }
    const { os, kernel, cpus } = hello.host;
    /** @param {string} name */
    const newest = (name) => readingOf(plain(columns, name), rows.end - 1);
    const uptime = newest("system.uptime");
    const facts = [
      os,
      kernel,
      Number.isNaN(cpus) ? "" : `${cpus} ${cpus === 1 ? "CPU" : "CPUs"}`,
      Number.isNaN(uptime) ? "" : `up ${duration(uptime)}`,
    ];
    setText(this.#facts, facts.filter(Boolean).join("  ·  "));

    const cost = newest("hostcast.process.cpu.utilization");
    const memory = newest("hostcast.process.memory.usage");
    const own = [
      Number.isNaN(cost) ? "" : `${text(percent(cost))} CPU`,
      Number.isNaN(memory) ? "" : text(bytes(memory)),
    ].filter(Boolean);
    const costs = own.length > 0 ? ` · costs this host ${own.join(" and ")}` : "";
    setText(this.#footer, `${hello.server}${costs}`);
  }

  /**
   * A page stays open for weeks, and daemons are upgraded meanwhile.
   * @param {string} server  name and version
   */
  #compareVersions(server) {
    const daemon = server.split("/")[1] ?? "";
    const order = inNaturalOrder(daemon, PAGE_VERSION);
    if (PAGE_VERSION !== "" && order !== 0) {
      const what = order > 0 ? "newer" : "older";
      this.#bannerAction.textContent = "Reload";
      this.#say(`The daemon, ${daemon || "of an unknown version"}, is ${what} than this page, ${PAGE_VERSION}.`, true);
    }
  }

  /**
   * @param {string} message
   * @param {boolean} withAction
   */
  #say(message, withAction) {
    clearTimeout(this.#bannerTimer);
    setText(this.#bannerText, message);
    this.#bannerAction.hidden = !withAction;
    this.#banner.hidden = false;
  }
}
