/** The real daemon with a host that does not exist: see examples/simulated_host.rs. */

import path from "node:path";
import { BINARY, Daemon } from "./daemon.js";

const SIMULATED = path.join(path.dirname(BINARY), "examples/simulated_host");

/**
 * @param {number} cores
 * @param {Parameters<typeof Daemon.start>[0] & { plug?: string }} [settings]  while the file `plug` exists
 *   there is one disk more
 */
export function simulatedHost(cores, { plug = "", ...settings } = {}) {
  return Daemon.start({ ...settings, program: SIMULATED, args: (config) => [config, String(cores), plug] });
}
