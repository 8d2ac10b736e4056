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
    async entrance() {
      try {
        // What whoever may read the stream may ask for, too.
        const { ok, status } = await fetch(new URL("api/v1/schema", base), { method: "HEAD", cache: "no-store" });
        return ok ? 0 : status;
      } catch {
        return 0; // away, or of another origin: then nobody may know
      }
    },
  };
}
