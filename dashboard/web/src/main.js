/**
 * Puts the page together: messages go from the connection into the store, and the loop has every
 * view draw what the store holds. Nothing else knows more than its neighbour.
 */

import { HostClock } from "./clock.js";
import { Connection } from "./connection.js";
import { Controls } from "./controls.js";
import { byId } from "./dom.js";
import { Filesystems } from "./filesystems.js";
import { Loop } from "./loop.js";
import { forgetColors } from "./palette.js";
import { Panel } from "./panel.js";
import { PANELS } from "./panels.js";
import { SUBPROTOCOL } from "./protocol.js";
import { RawPanel } from "./raw.js";
import { Status } from "./status.js";
import { Store } from "./store.js";
import { Tiles } from "./tiles.js";
import { viewOf } from "./view.js";

/** @typedef {import("./protocol.js").Message} Message */

/** About the width of a chart: redrawing more often than a pixel's worth of time shows nothing. */
const PLOT_PIXELS = 600;

const store = new Store();
const clock = new HostClock();
/**
 * Where time stands still while the page is paused.
 * @type {number | null}
 */
let heldAt = null;

/** The span on the screen. */
let spanMs = 0;

const loop = new Loop(draw, () => spanMs / PLOT_PIXELS);
const charts = byId("charts", HTMLElement);
const controls = new Controls({
  onChange() {
    heldAt = controls.paused ? (heldAt ?? hostNow()) : null;
    loop.refresh();
  },
  onTheme() {
    forgetColors();
    panels.forEach((panel) => panel.repaint());
    loop.refresh();
  },
});
const status = new Status(store);
const tiles = new Tiles(byId("tiles", HTMLElement), store);
const panels = PANELS.map((kind) => new Panel(kind, store, charts));
const filesystems = new Filesystems(charts, store);
const raw = new RawPanel(location.href, () => loop.refresh());

const connection = new Connection({
  page: location.href,
  resumeFrom: () => store.position(),
  onMessage: receive,
  onLink(link) {
    status.setLink(link);
    loop.refresh();
  },
  around: {
    connect: (url) => new WebSocket(url, SUBPROTOCOL),
    now: () => performance.now(),
    after(ms, then) {
      const timer = setTimeout(then, ms);
      return () => clearTimeout(timer);
    },
    random: Math.random,
  },
});
addEventListener("online", () => connection.wake());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) {
    connection.wake();
  }
});
loop.refresh();
connection.start();

/**
 * @param {Message} message
 * @param {string} text
 */
function receive(message, text) {
  raw.add(text);
  switch (message.type) {
    case "hello":
      store.greet(message);
      status.drawHost();
      break;
    case "schema":
      store.setSchema(message.series);
      break;
    case "history":
      message.samples.forEach((sample) => store.append(sample));
      break;
    case "sample":
      clock.observe(message.sample.time, performance.now());
      store.append(message.sample);
      break;
    case "gap":
      store.noteGap(message);
      break;
    case "heartbeat":
      clock.observe(message.time, performance.now());
      break;
    case "notice":
      store.setInterval(message.intervalMs ?? store.intervalMs);
      status.tell(`The daemon says: ${message.reason.replaceAll("_", " ")}.`);
      break;
  }
  publishPosition();
  loop.invalidate();
}

/** For tests and for whoever looks with the browser's inspector. */
function publishPosition() {
  const { dataset } = document.documentElement;
  dataset.epoch = store.epoch;
  dataset.lastSeq = Number.isNaN(store.lastSeq) ? "" : String(store.lastSeq);
  dataset.samples = String(store.rows.samples);
  dataset.gaps = String(store.gapCount);
}

/** Before the first live message the viewer's own clock has to do. */
function hostNow() {
  const now = clock.now(performance.now());
  return Number.isNaN(now) ? Date.now() : now;
}

function draw() {
  const now = hostNow();
  status.draw(now, heldAt);
  raw.draw();
  const view = viewOf(store.rows, heldAt ?? now, controls.span);
  spanMs = view.to - view.from;
  tiles.draw(view);
  panels.forEach((panel) => panel.draw(view));
  // In rows of two the first takes a whole one, where otherwise the last would stand alone.
  charts.classList.toggle("charts-odd", panels.filter(({ shown }) => shown).length % 2 === 1);
  filesystems.draw(view);
}
