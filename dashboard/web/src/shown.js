/**
 * What a viewer has chosen to see: how much time, which part of it, which series. It is in the
 * page's address too, so that a link shows the same to somebody else.
 */

import { between, viewOf } from "./view.js";

/** @typedef {import("./view.js").View} View */

/** Nobody reads less than this, and a jitter of the hand must not end there. */
const SHORTEST_MS = 2000;
export const SPANS = ["60000", "300000", "900000", "3600000", "all"];

export class Shown {
  /** @type {number | "all"} */
  span = 300_000;
  /** Where time stands still while the page is paused. @type {number | null} */
  heldAt = null;
  /** A part of the past that was picked. @type {{ from: number, to: number } | null} */
  zoom = null;
  /** Under the crosshair. @type {number | null} */
  cursor = null;
  /** Series that are not drawn: the chart's id, a colon and the label. @type {Set<string>} */
  hidden = new Set();
  /** Another daemon's address, where this page shows that one. */
  host = "";

  /** Called after each change, but not for the crosshair. */
  onChange = () => {};
  onCursor = () => {};

  /** @param {string} hash  of a link; what it does not say stays */
  read(hash) {
    const said = new URLSearchParams(hash.slice(1));
    const span = said.get("span") ?? "";
    if (SPANS.includes(span)) {
      this.span = Number(span) || "all";
    }
    const [from, to] = [Number(said.get("from")), Number(said.get("to"))];
    if (from > 0 && to - from >= SHORTEST_MS) {
      this.zoom = { from, to };
    }
    this.hidden = new Set((said.get("off") ?? "").split("~").filter(Boolean));
    this.host = said.get("host") ?? "";
  }

  /** The same as text: "" where all is as it is without a link. */
  hash() {
    const said = new URLSearchParams();
    said.set("span", String(this.span));
    if (this.zoom) {
      said.set("from", String(Math.round(this.zoom.from)));
      said.set("to", String(Math.round(this.zoom.to)));
    }
    if (this.hidden.size > 0) {
      said.set("off", [...this.hidden].join("~"));
    }
    if (this.host) {
      said.set("host", this.host);
    }
    return `#${said}`;
  }

  /**
   * @param {import("./rows.js").Rows} rows
   * @param {number} now
   * @returns {View}
   */
  view(rows, now) {
    return this.zoom
      ? between(rows, this.zoom.from, this.zoom.to)
      : viewOf(rows, this.heldAt ?? now, this.span);
  }

  /** Whether the right edge is not the present. */
  get isHeld() {
    return this.zoom !== null || this.heldAt !== null;
  }

  /** @param {number | "all"} span */
  choose(span) {
    this.span = span;
    this.zoom = null;
    this.onChange();
  }

  /** @param {number} now */
  pause(now) {
    this.heldAt = now;
    this.onChange();
  }

  live() {
    this.zoom = null;
    this.heldAt = null;
    this.onChange();
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  zoomTo(from, to) {
    const missing = Math.max(0, SHORTEST_MS - (to - from)) / 2;
    this.zoom = { from: from - missing, to: to + missing };
    this.onChange();
  }

  /**
   * @param {View} view  that is drawn: each chart moves it to its next pixel, so what is zoomed goes on from the zoom itself
   * @param {number} factor  below 1 shows less
   * @param {number} around  stays where it is
   */
  scale(view, factor, around) {
    const { from, to } = this.zoom ?? view;
    this.zoomTo(around - (around - from) * factor, around + (to - around) * factor);
  }

  /**
   * @param {View} view  that is drawn
   * @param {number} byMs
   */
  pan(view, byMs) {
    // A finger that goes up or down only scrolls the page.
    if (byMs !== 0) {
      const { from, to } = this.zoom ?? view;
      this.zoomTo(from + byMs, to + byMs);
    }
  }

  /** @param {number | null} time */
  point(time) {
    if (time !== this.cursor) {
      this.cursor = time;
      this.onCursor();
    }
  }

  /** @param {string} key */
  toggle(key) {
    if (!this.hidden.delete(key)) {
      this.hidden.add(key);
    }
    this.onChange();
  }
}
