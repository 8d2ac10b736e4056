/** The real daemon, as its own process, with a configuration of its own. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ended, scratch, start } from "./scratch.js";
import { PATIENCE_MS } from "./until.js";

const HERE = path.dirname(fileURLToPath(import.meta.url));
export const BINARY = path.resolve(process.env.HOSTCAST_BIN ?? path.join(HERE, "../../../target/debug/hostcast"));

let count = 0;

export class Daemon {
  /** @type {string} where the dashboard is, with a slash at the end */
  url;
  #child;
  #log;

  /**
   * @param {import("node:child_process").ChildProcess} child
   * @param {string} url
   * @param {() => string} log
   */
  constructor(child, url, log) {
    this.#child = child;
    this.#log = log;
    this.url = url;
  }

  /**
   * @param {{ port?: number, interval?: string, heartbeat?: string, more?: string, program?: string,
   *   args?: (config: string) => string[], wrap?: string[] }} [settings]
   *   `more` goes at the end of the configuration, `wrap` before the command
   */
  static async start({
    port = 0,
    interval = "250ms",
    heartbeat = "5s",
    more = "",
    program = BINARY,
    args = (config) => ["serve", "--config", config],
    wrap = [],
  } = {}) {
    assert.ok(existsSync(program), `there is no ${program}: run cargo build --all-targets, or set HOSTCAST_BIN`);
    const config = path.join(scratch, `daemon-${(count += 1)}.toml`);
    writeFileSync(
      config,
      `[sampler]\ninterval = "${interval}"\n` +
        `[server]\nlisten = "127.0.0.1:${port}"\nheartbeat = "${heartbeat}"\n${more}\n`,
    );
    const [command, ...rest] = [...wrap, program, ...args(config)];
    const child = start(command, rest, { stdio: ["ignore", "pipe", "pipe"], env: {} });
    const { stdout, stderr } = /** @type {import("node:child_process").ChildProcessWithoutNullStreams} */ (child);
    let log = "";
    stderr.on("data", (text) => (log += text));

    const told = new Promise((resolve) => {
      createInterface(stdout).on("line", (line) => {
        const url = /^dashboard at (http:\/\/\S+)$/.exec(line)?.[1];
        if (url) {
          resolve(url);
        }
      });
    });
    const failed = once(child, "exit").then(() => Promise.reject(new Error(`the daemon did not start:\n${log}`)));
    const late = new Promise((_, reject) => {
      setTimeout(() => reject(new Error(`the daemon did not say where it listens:\n${log}`)), PATIENCE_MS).unref();
    });
    return new Daemon(child, await Promise.race([told, failed, late]), () => log);
  }

  get port() {
    return Number(new URL(this.url).port);
  }

  /** What it wrote to its log. */
  get log() {
    return this.#log();
  }

  /** @param {NodeJS.Signals} signal */
  signal(signal) {
    assert.ok(this.#child.kill(signal), `the daemon is gone and cannot get ${signal}`);
  }

  /** As a crash would: no goodbye. */
  async kill() {
    this.#child.kill("SIGKILL");
    await ended(this.#child);
  }

  /** As an operator would. Returns the exit code. */
  async stop() {
    this.signal("SIGTERM");
    await ended(this.#child);
    return this.#child.exitCode;
  }
}
