/**
 * The six things a viewer needs to know about the connection, and the words for them.
 */

/** @typedef {"connecting" | "live" | "reconnecting" | "stale" | "ended" | "replay"} State */

/** Two samples overdue are a stall; below this a slow network alone explains it. */
const LEAST_STALE_MS = 3000;

/** @type {Record<State, string>} */
export const STATE_TEXT = {
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
  stale: "Stale",
  ended: "Ended",
  replay: "Replay",
};

/**
 * An open connection whose samples stopped coming is not live, whatever the socket says.
 * @param {import("./connection.js").Link["phase"]} phase
 * @param {number} ageMs  of the newest sample, NaN before the first
 * @param {number} intervalMs
 * @returns {State}
 */
export function stateOf(phase, ageMs, intervalMs) {
  const overdue = ageMs > patience(intervalMs);
  return phase === "live" && overdue ? "stale" : phase;
}

/**
 * @param {number} ageMs
 * @param {number} intervalMs
 */
export function ageText(ageMs, intervalMs) {
  if (Number.isNaN(ageMs)) {
    return "no sample yet";
  }
  if (ageMs < 2 * Math.max(1000, intervalMs)) {
    return intervalMs === 1000 ? "every second" : `every ${intervalMs / 1000} s`;
  }
  return `last sample ${roughly(ageMs)} ago`;
}

/**
 * What is on the screen is of the past, and must not look live.
 * @param {number} behindMs
 */
export function pausedText(behindMs) {
  return `paused, ${roughly(Math.max(0, behindMs))} behind`;
}

/**
 * From when on samples are overdue, in time of the host's clock.
 * @param {number} intervalMs
 */
export function patience(intervalMs) {
  return Math.max(LEAST_STALE_MS, 2.5 * intervalMs);
}

/** @param {number} ms */
function roughly(ms) {
  const seconds = Math.floor(ms / 1000);
  return seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
}
