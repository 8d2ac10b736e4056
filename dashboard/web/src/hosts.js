/**
 * The other daemons that the configuration names, a row each. Without any there is nothing to see.
 */

import { HostClock } from "./clock.js";
import { Connection } from "./connection.js";
import { element, setText } from "./dom.js";
import { readingOf } from "./lines.js";
import { interfacesOf } from "./panels.js";
import { replayClock } from "./replay.js";
import { named, physicalInterfaces, plain } from "./selection.js";
import { Sparkline } from "./sparkline.js";
import { stateOf, STATE_TEXT } from "./state.js";
import { Store } from "./store.js";
import { browser } from "./surroundings.js";
import { load, networkRate, percent, text } from "./units.js";
import { viewOf } from "./view.js";

/** All that a row shows. */
const WISHES = "&metrics=system.cpu.utilization,system.cpu.load_average.1m,system.memory,system.network.io";
const SPAN_MS = 300_000;

export class Hosts {
  #root;
  /** @type {HostRow[]} */
  #rows = [];

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
  }

  /**
   * @param {string} home  the page's own daemon
   * @param {string[]} others
   * @param {string} current  the one whose charts are shown
   * @param {(url: string) => void} onChosen
   * @param {() => void} onNews
   */
  start(home, others, current, onChosen, onNews) {
    this.#rows = [home, ...others].map((url) => new HostRow(url, url === current, () => onChosen(url), onNews));
    this.#root.replaceChildren(...this.#rows.map(({ root }) => root));
    this.#root.hidden = false;
  }

  wake() {
    this.#rows.forEach((row) => row.wake());
  }

  rest() {
    this.#rows.forEach((row) => row.rest());
  }

  draw() {
    this.#rows.forEach((row) => row.draw());
  }
}

class HostRow {
  root;
  #store = new Store();
  #clock = new HostClock();
  #connection;
  /** @type {import("./connection.js").Link["phase"]} */
  #phase = "connecting";
  #name;
  #state = element("span", { class: "host-state" });
  #cpu = element("span");
  #memory = element("span");
  #load = element("span");
  #network = element("span");
  #sparkline;

  /**
   * @param {string} url
   * @param {boolean} isCurrent
   * @param {() => void} onChosen
   * @param {() => void} onNews
   */
  constructor(url, isCurrent, onChosen, onNews) {
    this.#name = element("span", { class: "host-name", text: new URL(url).host });
    const canvas = element("canvas", { class: "host-spark", attributes: { "aria-hidden": "true" } });
    this.#sparkline = new Sparkline(canvas, "chart-blue");
    this.root = element("button", { class: "host-row", attributes: { type: "button", "data-url": url } }, [
      this.#name,
      this.#state,
      canvas,
      ...[this.#cpu, this.#memory, this.#load, this.#network],
    ]);
    if (isCurrent) {
      this.root.setAttribute("aria-current", "true");
    }
    this.root.addEventListener("click", onChosen);
    this.#connection = new Connection({
      page: url,
      wishes: WISHES,
      resumeFrom: () => this.#store.position(),
      onMessage: (message) => {
        if (message.type === "hello" && message.replay) {
          this.#clock = replayClock(message.replay);
        }
        const time = this.#store.take(message);
        if (!Number.isNaN(time)) {
          this.#clock.observe(time, performance.now());
        }
        onNews();
      },
      onLink: ({ phase }) => {
        this.#phase = phase;
        onNews();
      },
      around: browser(url),
    });
    this.#connection.start();
  }

  wake() {
    this.#connection.wake();
  }

  rest() {
    this.#connection.rest();
  }

  draw() {
    if (this.#connection.isCatchingUp) {
      return;
    }
    const { rows, columns, intervalMs, lastTime, hello } = this.#store;
    const now = this.#clock.now(performance.now());
    const state = hello?.replay && this.#phase === "live" ? "replay" : stateOf(this.#phase, Math.max(0, now - lastTime), intervalMs);
    this.root.dataset.state = state;
    setText(this.#state, STATE_TEXT[state]);
    if (hello) {
      setText(this.#name, hello.host.name || "unnamed host");
    }
    const cpu = plain(columns, "system.cpu.utilization");
    if (cpu.length === 0) {
      return;
    }
    const view = viewOf(rows, Number.isNaN(now) ? lastTime : now, SPAN_MS);
    /** @param {import("./rows.js").Column[]} one */
    const read = (one) => readingOf(one, view.last);
    const used = named(columns, "system.memory.usage", { "system.memory.state": "used" });
    const counted = new Set(physicalInterfaces(interfacesOf(this.#store)));
    const traffic = named(columns, "system.network.io").filter(({ series }) =>
      counted.has(series.attributes["network.interface.name"]),
    );
    setText(this.#cpu, `CPU ${text(percent(read(cpu)))}`);
    setText(this.#memory, `memory ${text(percent(read(used) / read(plain(columns, "system.memory.limit"))))}`);
    setText(this.#load, `load ${text(load(read(plain(columns, "system.cpu.load_average.1m"))))}`);
    setText(this.#network, `network ${text(networkRate(read(traffic)))}`);
    this.#sparkline.draw({ columns: cpu }, rows, view, 1);
  }
}
