/**
 * One temporary folder for everything that a run writes, the browser's profile included, and one
 * list of the processes it started. Both are gone when the run ends, however it ends.
 */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export const scratch = mkdtempSync(path.join(tmpdir(), "hostcast-browser-"));
// The browser and its driver put what is temporary where these say.
process.env.TMPDIR = process.env.HOME = process.env.XDG_RUNTIME_DIR = scratch;
delete process.env.XDG_CONFIG_HOME;
delete process.env.XDG_CACHE_HOME;

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

process.on("exit", () => {
  running.forEach((child) => child.kill("SIGKILL"));
  rmSync(scratch, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});
for (const [signal, number] of /** @type {const} */ ([["SIGINT", 2], ["SIGTERM", 15], ["SIGHUP", 1]])) {
  process.on(signal, () => process.exit(128 + number));
}

/**
 * Starts a process that does not outlive this one.
 * @param {string} program
 * @param {string[]} args
 * @param {import("node:child_process").SpawnOptions} [options]
 */
export function start(program, args, options = {}) {
  const child = spawn(program, args, { stdio: "ignore", ...options });
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @returns {Promise<void>}
 */
export function ended(child) {
  return child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once("exit", () => resolve()));
}
