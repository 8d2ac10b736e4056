/**
 * Puts the page together: messages go from the connection into the store, and the loop has every
 * view draw what the store holds. Nothing else knows more than its neighbour.
 */

import { HostClock } from "./clock.js";
import { Connection } from "./connection.js";
import { Controls } from "./controls.js";
import { byId } from "./dom.js";
import { Drawer } from "./drawer.js";
import { Filesystems } from "./filesystems.js";
import { forgetShades } from "./heatchart.js";
import { Hosts } from "./hosts.js";
import { Loop } from "./loop.js";
import { forgetColors } from "./palette.js";
import { onPaper } from "./paper.js";
import { RawPanel } from "./raw.js";
import { replayClock, replayedMs } from "./replay.js";
import { Sections } from "./sections.js";
import { Shown } from "./shown.js";
import { patience, pausedText } from "./state.js";
import { Status } from "./status.js";
import { Store } from "./store.js";
import { browser } from "./surroundings.js";
import { Tiles } from "./tiles.js";

/** @typedef {import("./protocol.js").Message} Message */

/** Numbers that change faster than this are not read. */
const TEXTS_MS = 900;
/** Of one picture: what takes longer goes on with the next, so that the page always answers at once. */
const SLICE_MS = 16;

const query = new URLSearchParams(location.search);
const only = query.get("chart");
document.documentElement.toggleAttribute("data-kiosk", query.has("kiosk"));
document.documentElement.toggleAttribute("data-alone", only !== null);

const home = new URL("./", location.href).href;
const replayed = replayedMs(document.documentElement.dataset);
const store = new Store(replayed ?? undefined);
let clock = new HostClock();
const shown = new Shown();
// Of a recording all is shown first, whatever was chosen for what is live.
shown.span = replayed === null ? Controls.recallSpan() : "all";
shown.read(location.hash);
// The daemon writes them into the page that it serves. A link may name one of these and no other.
const others = (document.documentElement.dataset.hosts ?? "").split(" ").filter(Boolean);
if (!others.includes(shown.host)) {
  shown.host = "";
}
const base = shown.host || home;

/** @type {import("./panel.js").Scene} */
const scene = { store, shown, waiting: [], until: 0, look: 0, refresh: () => loop.refresh() };
let textsAt = -Infinity;
let everything = false;
let isPublished = true;

const loop = new Loop(draw, () => sections.pixelMs);
const status = new Status(store);
const tiles = new Tiles(byId("tiles", HTMLElement), store, (id) => sections.show(id));
const charts = byId("charts", HTMLElement);
const sections = new Sections(charts, scene, only);
const filesystems = new Filesystems(charts, store);
const raw = new RawPanel(base, () => loop.refresh());
const hosts = new Hosts(byId("hosts", HTMLElement));
new Drawer(base);
const controls = new Controls(shown, hostNow, () => {
  repaint();
  refresh();
});

shown.onChange = () => {
  controls.reflect();
  history.replaceState(null, "", shown.hash());
  refresh();
};
let cursorRequested = false;
shown.onCursor = () => {
  if (!cursorRequested) {
    cursorRequested = true;
    requestAnimationFrame(() => {
      cursorRequested = false;
      sections.tell(true);
    });
  }
};

const connection = new Connection({
  page: base,
  past: replayed === null ? undefined : `${replayed}ms`,
  resumeFrom: () => store.position(),
  onMessage: receive,
  onLink(link) {
    status.setLink(link);
    refresh();
  },
  around: browser(base),
});
addEventListener("online", wake);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    connection.rest();
    hosts.rest();
  } else {
    wake();
  }
});
addEventListener("hashchange", () => {
  const before = shown.host;
  if (!location.hash.includes("span=")) {
    return; // the link that skips to the charts
  }
  shown.read(location.hash);
  if (shown.host === before) {
    shown.onChange();
  } else {
    location.reload();
  }
});
onPaper(
  () => shown.view(store.rows, hostNow()),
  (isPaper) => {
    repaint();
    sections.measure();
    everything = isPaper;
    draw();
    everything = false;
  },
);
refresh();
connection.start();
if (others.length > 0 && only === null) {
  hosts.start(home, others, base, choose, () => loop.invalidate());
}

function wake() {
  connection.wake();
  hosts.wake();
}

/** Colours or units have changed: no picture is as it would be drawn now. */
function repaint() {
  forgetColors();
  forgetShades();
  scene.look += 1;
}

/** Somebody waits to see it. */
function refresh() {
  textsAt = -Infinity;
  loop.refresh();
}

/**
 * @param {Message} message
 * @param {string} text
 */
function receive(message, text) {
  raw.add(text);
  if (message.type === "hello" && message.replay) {
    clock = replayClock(message.replay);
  }
  const wasEmpty = store.rows.samples === 0;
  const time = store.take(message);
  if (!Number.isNaN(time)) {
    clock.observe(time, performance.now());
  }
  if (message.type === "hello") {
    status.drawHost();
  } else if (message.type === "notice") {
    status.drawHost();
    status.tell(`The daemon says: ${message.reason.replaceAll("_", " ")}.`);
  }
  if (isPublished) {
    isPublished = false;
    queueMicrotask(publishPosition);
  }
  if (wasEmpty && store.rows.samples > 0) {
    refresh();
  } else {
    loop.invalidate();
  }
}

/** For tests and for whoever looks with the browser's inspector. Once for messages that are read together. */
function publishPosition() {
  isPublished = true;
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

/** @param {string} url */
function choose(url) {
  shown.host = url === home ? "" : url;
  shown.zoom = null;
  location.hash = shown.hash();
  location.reload();
}

/** @returns {boolean} whether that was all */
function draw() {
  if (connection.isCatchingUp) {
    return true;
  }
  const now = hostNow();
  const at = performance.now();
  const texts = everything || at - textsAt >= TEXTS_MS;
  textsAt = texts ? at : textsAt;
  // Where time goes faster, so does patience.
  const overdue = now - store.lastTime > patience(store.intervalMs) * Math.max(1, store.hello?.replay?.speed ?? 1);
  scene.waiting = overdue ? [{ from: store.lastTime, to: now, reason: "waiting" }] : [];

  const view = shown.view(store.rows, now);
  const until = everything ? Infinity : at + SLICE_MS;
  scene.until = until + SLICE_MS;
  const isAll = sections.draw(view, until, everything);
  sections.tell(texts);
  const areTilesDone = tiles.draw(view, until, texts);
  hosts.draw();
  raw.draw();
  if (texts) {
    status.draw(now, shown.isHeld);
    controls.tellBehind(shown.isHeld ? pausedText(now - view.to) : null);
    filesystems.draw(view);
    const isEmpty = store.rows.samples === 0;
    byId("waiting", HTMLElement).hidden = !isEmpty;
  }
  return isAll && areTilesDone;
}
