/**
 * What the daemon says about itself, while somebody looks.
 */

import { byId, element } from "./dom.js";
import { bytes, duration, text, zonedTime } from "./units.js";

const EVERY_MS = 2000;

/** What to say where asking again would change nothing. @type {Record<number, string>} */
const REFUSALS = {
  401: "The daemon does not know this page's token any more. Load the page again to sign in with another.",
  403:
    "This page's token may read the samples, and not what the daemon tells of itself: it has not the scope “status”. " +
    "One that has is made with: hostcast token add NAME --scope read --scope status",
};

export class Drawer {
  #base;
  #dialog = byId("drawer", HTMLDialogElement);
  #body = byId("drawer-body", HTMLElement);
  #config = element("pre", { class: "config", testid: "config", attributes: { tabindex: "0", "aria-label": "Configuration in force" } });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {string} base  where the daemon is */
  constructor(base) {
    this.#base = base;
    byId("open-drawer", HTMLButtonElement).addEventListener("click", () => {
      this.#dialog.showModal();
      this.#refresh();
    });
    this.#dialog.addEventListener("close", () => clearTimeout(this.#timer));
  }

  async #refresh() {
    clearTimeout(this.#timer);
    try {
      const answer = await fetch(new URL("api/v1/status", this.#base), { cache: "no-store" });
      if (REFUSALS[answer.status]) {
        this.#body.replaceChildren(element("p", { text: REFUSALS[answer.status] }));
        return;
      }
      if (!answer.ok) {
        throw new Error(`the daemon answers ${answer.status}`);
      }
      this.#draw(await answer.json());
    } catch (error) {
      this.#body.replaceChildren(element("p", { text: `No status: ${error instanceof Error ? error.message : error}.` }));
    }
    if (this.#dialog.open) {
      this.#timer = setTimeout(() => this.#refresh(), EVERY_MS);
    }
  }

  /** @param {any} status  of this daemon's version or of another's: what is not there is left out */
  #draw({ server, uptime_seconds, process = {}, sampler = {}, history = {}, stream = {}, connections = {}, config, replay }) {
    const cpuShare = process.cpu_seconds / Math.max(1, uptime_seconds);
    this.#body.replaceChildren(
      group("Cost", [
        ["Server", server],
        ["Up", duration(uptime_seconds)],
        ["CPU since the start", `${number(process.cpu_seconds, 1)} s, ${number(cpuShare * 100, 2)} % of a core`],
        ["Memory", text(bytes(process.resident_bytes ?? NaN))],
        ["Last tick", `${number(sampler.tick_us / 1000, 2)} ms`],
      ]),
      replay ? group("Replay", [
        ["From", zonedTime(replay.from)],
        ["To", zonedTime(replay.to)],
        ["Shown", zonedTime(replay.time)],
        ["History", `${number(history.samples)} samples, ${text(bytes(history.bytes ?? NaN))}`],
      ]) : group("Sampling", [
        ["Interval", `${number(sampler.interval_ms / 1000, 3)} s`],
        ["Ticks", number(sampler.ticks)],
        ["Missed, held up", number(sampler.missed_late)],
        ["Missed, suspended", number(sampler.missed_suspended)],
        ["History", `${number(history.samples)} samples, ${text(bytes(history.bytes ?? NaN))}`],
      ]),
      group("Streaming", [
        ["Subscribers", number(stream.subscribers)],
        ["Samples sent", number(stream.samples_sent)],
        ["Dropped for slow ones", number(stream.samples_dropped)],
        ["Connections", `${number(connections.open)} open, ${number(connections.refused_total)} refused`],
      ]),
      ...(replay ? [] : [
        element("h3", { text: "Collectors" }),
        element("ul", { class: "collectors" }, (sampler.collectors ?? []).map(collector)),
      ]),
    );
    if (typeof config === "string") {
      // The same element stays, so that a selection in it does, too.
      if (this.#config.textContent !== config) {
        this.#config.textContent = config;
      }
      this.#body.append(element("h3", { text: "Configuration in force" }), this.#config);
    }
  }
}

/** @param {any} collector */
function collector({ name, state, message, duration_us: us, failures }) {
  const told = [state === "ok" ? `${number(us / 1000, 2)} ms` : state, message, failures > 0 ? `${number(failures)} failures` : ""];
  return element("li", { class: `collector collector-${state}` }, [
    element("strong", { text: name }),
    element("span", { text: told.filter(Boolean).join(" · ") }),
  ]);
}

/**
 * @param {string} title
 * @param {[term: string, value: string][]} entries
 */
function group(title, entries) {
  return element("section", {}, [
    element("h3", { text: title }),
    element("dl", {}, entries.flatMap(([term, value]) => [element("dt", { text: term }), element("dd", { text: value || "–" })])),
  ]);
}

/**
 * @param {unknown} value
 * @param {number} [digits]
 */
function number(value, digits = 0) {
  return typeof value === "number" && Number.isFinite(value)
    ? value.toLocaleString("en", { maximumFractionDigits: digits })
    : "–";
}
