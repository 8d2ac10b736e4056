/** A token, and the settings of a daemon that asks for it. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { BINARY } from "./daemon.js";
import { scratch } from "./scratch.js";

let count = 0;

/** @returns {{ secret: string, settings: string }} */
export function oneToken() {
  const name = path.join(scratch, `token-${(count += 1)}`);
  const settings = `auth = "token"\ntoken_file = "${name}/tokens"\n`;
  writeFileSync(`${name}.toml`, `[server]\n${settings}`);
  const made = spawnSync(BINARY, ["token", "add", "wall", "--config", `${name}.toml`], { encoding: "utf8", env: {} });
  assert.equal(made.status, 0, made.stderr);
  return { secret: made.stdout.trim(), settings };
}
