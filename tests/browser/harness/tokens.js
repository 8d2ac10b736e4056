/** Who may read: tokens, made and revoked as an operator does. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { BINARY } from "./daemon.js";
import { scratch } from "./scratch.js";

let count = 0;

export class Tokens {
  /** What goes at the end of a daemon's configuration that asks for them. */
  settings;
  #config;

  constructor() {
    const name = `tokens-${(count += 1)}`;
    this.settings = `auth = "token"\ntoken_file = "${path.join(scratch, name, "tokens")}"`;
    this.#config = path.join(scratch, `${name}.toml`);
    writeFileSync(this.#config, `[server]\n${this.settings}\n`);
  }

  /**
   * @param {string} name
   * @param {string[]} scopes  what a token is for that nobody says more of, if none is given
   * @returns {string} the token
   */
  add(name, ...scopes) {
    return this.#run("add", name, ...scopes.flatMap((scope) => ["--scope", scope])).trim();
  }

  /** Takes effect with the daemon's next reload or start. @param {string} name */
  revoke(name) {
    this.#run("revoke", name);
  }

  /** @param {string[]} words */
  #run(...words) {
    const { status, stdout, stderr } = spawnSync(BINARY, ["token", ...words, "--config", this.#config], { encoding: "utf8", env: {} });
    assert.equal(status, 0, stderr);
    return stdout;
  }
}
