/**
 * The browser, as a connection sees it.
 */

import { SUBPROTOCOL } from "./protocol.js";

/**
 * @param {string} base  where the daemon is
 * @returns {import("./connection.js").Surroundings}
 */
export function browser(base) {
  return {
    connect: (url) => new WebSocket(url, SUBPROTOCOL),
    now: () => performance.now(),
    after(ms, then) {
      const timer = setTimeout(then, ms);
      return () => clearTimeout(timer);
    },
    random: Math.random,
    isHidden: () => document.hidden,
    async refusal() {
      try {
        const { status } = await fetch(new URL("api/v1/status", base), { method: "HEAD", cache: "no-store" });
        return status === 401 || status === 403 ? `access denied (${status})` : null;
      } catch {
        return null; // away, or of another origin: then nobody may know
      }
    },
  };
}
