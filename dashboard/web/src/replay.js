/**
 * A recording that is served like a host: what is shown is of another time, and the page says so.
 */

import { HostClock } from "./clock.js";
import { MAX_ROWS } from "./store.js";
import { zonedTime } from "./units.js";

/** @typedef {import("./protocol.js").Replay} Replay */

/** Each takes a row of its own. */
const ROOM_FOR_GAPS = 100;

/**
 * How much of the recording this page can hold. The replay writes its length into the page that it serves.
 * @param {DOMStringMap} root  what is written there
 * @returns {number | null}  null where the page is a daemon's own
 */
export function replayedMs({ replayMs, intervalMs }) {
  const interval = Number(intervalMs);
  return replayMs === undefined ? null : Math.ceil(Math.min(Number(replayMs) + ROOM_FOR_GAPS * interval, MAX_ROWS * interval));
}

/**
 * Time goes as fast as it is played, and not at all behind the end of the recording.
 * @param {Replay} replay
 */
export function replayClock({ speed, to }) {
  return new HostClock(speed, to);
}

/** @param {Replay} replay */
export function replayTitle({ speed }) {
  return speed === 0 || speed === 1 ? "Replay" : `Replay ×${speed}`;
}

/**
 * @param {Replay} replay
 * @param {number} now  of the recorded host's clock
 */
export function replayedText({ to }, now) {
  return now >= to ? `ends ${zonedTime(to)}` : zonedTime(now);
}
