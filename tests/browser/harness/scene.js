/** A daemon and a page that shows it, for the length of one test. */

import { Visit } from "./browser.js";
import { Daemon } from "./daemon.js";
import { Proxy } from "./proxy.js";
import { simulatedHost } from "./simulated.js";

/** @typedef {import("node:test").TestContext} TestContext */
/** @typedef {() => unknown} Undo */

/** @type {WeakMap<TestContext, Undo[]>} */
const undone = new WeakMap();

/**
 * Has something undone after the test, the last thing first: a page must go before its daemon, or
 * it would notice. (Node runs what was given to `t.after` the other way round.)
 * @param {TestContext} t
 * @param {Undo} undo
 */
export function afterwards(t, undo) {
  const known = undone.get(t);
  if (known) {
    known.push(undo);
    return;
  }
  const all = [undo];
  undone.set(t, all);
  t.after(async () => {
    const errors = [];
    while (all.length > 0) {
      try {
        await all.pop()?.();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) {
      throw errors[0];
    }
  });
}

/**
 * @param {TestContext} t
 * @param {Parameters<typeof Daemon.start>[0]} [settings]
 */
export async function daemonFor(t, settings) {
  const daemon = await Daemon.start(settings);
  afterwards(t, () => daemon.kill());
  return daemon;
}

/**
 * A daemon that shows a simulated host.
 * @param {TestContext} t
 * @param {number} cores
 * @param {Parameters<typeof simulatedHost>[1]} [settings]
 */
export async function hostFor(t, cores, settings) {
  const daemon = await simulatedHost(cores, settings);
  afterwards(t, () => daemon.kill());
  return daemon;
}

/**
 * @param {TestContext} t
 * @param {Daemon} daemon
 */
export async function proxyFor(t, daemon) {
  const proxy = await Proxy.start(daemon.port);
  afterwards(t, () => proxy.close());
  return proxy;
}

/**
 * A page that has gone live.
 * @param {TestContext} t
 * @param {string} url
 * @param {Parameters<typeof Visit.open>[1]} [options]
 */
export async function visitFor(t, url, options) {
  const visit = await Visit.open(url, options);
  afterwards(t, () => visit.close());
  await visit.reaches("live");
  await visit.holdsSamples(2);
  return visit;
}
