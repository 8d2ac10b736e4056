/** The program's other commands, on a recording in the run's temporary folder. */

import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import path from "node:path";
import { BINARY, Daemon } from "./daemon.js";
import { ended, scratch, start } from "./scratch.js";
import { afterwards } from "./scene.js";

/** @typedef {import("node:test").TestContext} TestContext */

/**
 * What `hostcast …` writes to its standard output, and its exit code.
 * @param {string[]} args
 */
export async function hostcast(...args) {
  const child = start(BINARY, args, { stdio: ["ignore", "pipe", "ignore"], env: {} });
  let text = "";
  child.stdout?.on("data", (some) => (text += some));
  const closed = new Promise((resolve) => child.stdout?.once("close", resolve));
  await ended(child);
  await closed;
  return { text, code: child.exitCode };
}

/**
 * A recorder that follows a daemon.
 * @param {TestContext} t
 * @param {Daemon} daemon
 */
export function recorderFor(t, daemon) {
  const folder = mkdtempSync(path.join(scratch, "recording-"));
  const child = start(BINARY, ["record", `host=${daemon.url.replace(/^http/, "ws")}`, "--output", folder], { env: {} });
  afterwards(t, () => child.kill("SIGKILL"));
  return {
    folder,
    /** Its samples and gaps so far. @returns {Promise<any[]>} */
    async lines() {
      const { text } = await hostcast("export", folder);
      return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
    },
    async stop() {
      child.kill("SIGTERM");
      await ended(child);
      assert.equal(child.exitCode, 0);
    },
  };
}

/**
 * A replay of a recording.
 * @param {TestContext} t
 * @param {string} folder
 * @param {string[]} flags
 */
export async function replayFor(t, folder, ...flags) {
  const args = () => ["replay", folder, "--listen", "127.0.0.1:0", ...flags];
  const replay = await Daemon.start({ args });
  afterwards(t, () => replay.kill());
  return replay;
}
