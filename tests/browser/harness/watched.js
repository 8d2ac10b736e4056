/** A browser of its own with one page, whose cost is read from the kernel. */

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { FLAGS, PROGRAM } from "./browser.js";
import { ended, scratch, start } from "./scratch.js";

let opened = 0;

/** While it is measured no debugger is attached: that would count each message of the stream, too. */
export class Watched {
  #child;
  #address;
  #pid = 0;

  /**
   * @param {import("node:child_process").ChildProcess} child
   * @param {string} address
   */
  constructor(child, address) {
    this.#child = child;
    this.#address = address;
  }

  /**
   * @param {{ width: number, height: number }} size
   * @param {(page: import("playwright-core").Page) => Promise<unknown>} visit
   */
  static async open({ width, height }, visit) {
    const profile = path.join(scratch, `watched-${(opened += 1)}`);
    const flags = [...FLAGS, "--remote-debugging-port=0", `--user-data-dir=${profile}`, `--window-size=${width},${height}`];
    const child = start(PROGRAM, [...flags, "about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
    const { stderr } = /** @type {import("node:child_process").ChildProcessWithoutNullStreams} */ (/** @type {unknown} */ (child));
    const address = await new Promise((resolve) => {
      stderr.on("data", (text) => {
        const found = /DevTools listening on (ws:\S+)/.exec(String(text))?.[1];
        if (found) {
          resolve(found);
        }
      });
    });
    const watched = new Watched(child, address);
    await watched.touch(async (page) => {
      await visit(page);
      await sleep(3000);
      const session = await page.context().browser()?.newBrowserCDPSession();
      const { processInfo } = await /** @type {import("playwright-core").CDPSession} */ (session).send("SystemInfo.getProcessInfo");
      const renderers = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => ({ id, before: runNs(id) }));
      // There are others, which have nothing to do.
      await sleep(2000);
      watched.#pid = renderers.toSorted((a, b) => spentMs(b.id, b.before) - spentMs(a.id, a.before))[0].id;
    });
    return watched;
  }

  /**
   * Does something with the page, and lets go of it.
   * @template Result
   * @param {(page: import("playwright-core").Page) => Promise<Result>} act
   */
  async touch(act) {
    const browser = await chromium.connectOverCDP(this.#address);
    try {
      return await act(browser.contexts()[0].pages()[0]);
    } finally {
      await browser.close();
    }
  }

  /**
   * Milliseconds of CPU a second, one figure a round.
   * @param {number} count
   * @param {number} seconds  that a round lasts
   */
  async rounds(count, seconds) {
    const figures = [];
    for (let round = 0; round < count; round += 1) {
      const [from, at] = [runNs(this.#pid), performance.now()];
      await sleep(seconds * 1000);
      figures.push((spentMs(this.#pid, from) * 1000) / (performance.now() - at));
    }
    return figures;
  }

  close() {
    this.#child.kill("SIGKILL");
    return ended(this.#child);
  }
}

/**
 * Nanoseconds that each thread has run for, by the scheduler: the ticks of `/proc/PID/stat` are too coarse for a page
 * that does nearly nothing.
 * @param {number} pid
 * @returns {Map<string, number>}
 */
function runNs(pid) {
  const threads = new Map();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      threads.set(thread, Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ")[0]));
    } catch {
      // It has just ended.
    }
  }
  return threads;
}

/**
 * @param {number} pid
 * @param {Map<string, number>} before
 */
function spentMs(pid, before) {
  return [...runNs(pid)].reduce((sum, [thread, ns]) => sum + ns - (before.get(thread) ?? 0), 0) / 1e6;
}
