/** What the kernel says about this host, read beside the daemon and over the same spans. */

import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { ended, start } from "./scratch.js";

const READ_EVERY_MS = 20;
/** Readings further apart than this do not tell what was in between. */
const WIDEST_MS = 120;
const KEPT_MS = 60_000;

/** @typedef {{ at: number, busy: number, total: number, usedBytes: number }} Reading */

export class HostWatch {
  /** @type {Reading[]} */
  #readings = [];
  #timer = setInterval(() => this.#read(), READ_EVERY_MS);

  close() {
    clearInterval(this.#timer);
  }

  /**
   * The CPU's share of work between two points in time.
   * @param {number} from  Unix ms
   * @param {number} to
   * @returns {number | null}  null where this was not watched closely enough
   */
  cpu(from, to) {
    const [start, end] = [this.#between(from), this.#between(to)];
    return start && end ? (end.busy - start.busy) / (end.total - start.total) : null;
  }

  /**
   * The least and the most memory in use around a point in time.
   * @param {number} at  Unix ms
   * @returns {{ least: number, most: number } | null}
   */
  memory(at) {
    const near = this.#readings.filter((reading) => Math.abs(reading.at - at) <= WIDEST_MS);
    const used = near.map(({ usedBytes }) => usedBytes);
    return near.length >= 2 ? { least: Math.min(...used), most: Math.max(...used) } : null;
  }

  #read() {
    const at = Date.now();
    const jiffies = readFileSync("/proc/stat", "latin1").split("\n", 1)[0].trim().split(/\s+/).slice(1, 9).map(Number);
    const [user, nice, system, idle, iowait, irq, softirq, steal] = jiffies;
    const busy = user + nice + system + irq + softirq + steal;

    const info = readFileSync("/proc/meminfo", "latin1");
    /** @param {string} name */
    const kib = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(info)?.[1] ?? 0);
    const usedKib = kib("MemTotal") - kib("MemFree") - kib("Buffers") - kib("Cached") - kib("SReclaimable");

    this.#readings.push({ at, busy, total: busy + idle + iowait, usedBytes: usedKib * 1024 });
    while (this.#readings[0].at < at - KEPT_MS) {
      this.#readings.shift();
    }
  }

  /**
   * The counters at a point in time, from the readings around it.
   * @param {number} at
   */
  #between(at) {
    const next = this.#readings.findIndex((reading) => reading.at >= at);
    const [before, after] = [this.#readings[next - 1], this.#readings[next]];
    if (!before || !after || after.at - before.at > WIDEST_MS) {
      return null;
    }
    const share = (at - before.at) / (after.at - before.at);
    return {
      busy: before.busy + share * (after.busy - before.busy),
      total: before.total + share * (after.total - before.total),
    };
  }
}

/**
 * Keeps every CPU busy until the returned function is called.
 * @returns {() => Promise<void>}
 */
export function makeBusy() {
  const children = cpus().map(() => start("/bin/sh", ["-c", "while :; do :; done"]));
  return async () => {
    children.forEach((child) => child.kill("SIGKILL"));
    await Promise.all(children.map(ended));
  };
}
