/**
 * The dashboard in a real browser, fed by a real daemon:
 *   npm ci && npm test
 * HOSTCAST_BIN is the daemon (target/debug/hostcast if not set), CHROMIUM the browser.
 *
 * One process and one browser for all tests, one after the other: some of them load the host, and
 * each would disturb the figures of its neighbours.
 */

import { after } from "node:test";
import { closeBrowser } from "./harness/browser.js";

await import("./tests/watch.js");
await import("./tests/figures.js");
await import("./tests/outages.js");
await import("./tests/truth.js");
await import("./tests/charts.js");
await import("./tests/drawing.js");
await import("./tests/reach.js");
await import("./tests/controls.js");
await import("./tests/delivery.js");
await import("./tests/strangers.js");
await import("./tests/access.js");
await import("./tests/webservers.js");
await import("./tests/replay.js");

after(closeBrowser);
