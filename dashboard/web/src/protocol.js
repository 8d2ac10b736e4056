/**
 * Protocol v1, compact form: one JSON text in, one typed message out.
 *
 * The page outlives the daemon it was loaded from, so it must read the messages of newer ones:
 * unknown types become `unknown`, unknown fields are ignored, and a field of the wrong shape
 * falls back to "not told".
 */

export const PROTOCOL = "hostcast.v1";
export const SUBPROTOCOL = `${PROTOCOL}.compact`;

/**
 * @typedef {{ name: string, os: string, kernel: string, cpus: number, bootId: string,
 *   labels: Record<string, string> }} Host
 * @typedef {{ id: string, name: string, unit: string, attributes: Record<string, string>,
 *   intervalMs: number | null }} Series  `intervalMs` is set where a series is read less often
 *   than each tick
 * @typedef {{ ticks: number, reason: string }} Missed
 * @typedef {{ seq: number, time: number, elapsedMs: number, values: number[],
 *   missed: Missed | null }} Sample  a missing value is NaN
 *
 * @typedef {{ from: number, to: number, speed: number }} Replay  times in Unix ms; a speed of 0 is
 *   that of a recording which is there at once
 * @typedef {{ type: "hello", protocol: string, server: string, host: Host, epoch: string,
 *   intervalMs: number, heartbeatMs: number, heldMs: number, replay: Replay | null }} Hello  `heldMs` is how much of the
 *   past the daemon holds
 * @typedef {{ type: "schema", revision: number, series: Series[] }} Schema
 * @typedef {{ type: "history", samples: Sample[], complete: boolean }} History
 * @typedef {{ type: "sample", sample: Sample }} Live
 * @typedef {{ type: "gap", epoch: string, fromSeq: number, toSeq: number | null,
 *   reason: string }} Gap
 * @typedef {{ type: "heartbeat", seq: number, time: number }} Heartbeat
 * @typedef {{ type: "notice", reason: string, intervalMs: number | null, heartbeatMs: number | null,
 *   labels: Record<string, string> | null }} Notice  what is null stays as it was
 * @typedef {{ type: "bye", reason: string, retryMs: number | null }} Bye
 * @typedef {{ type: "unknown" }} Unknown
 * @typedef {Hello | Schema | History | Live | Gap | Heartbeat | Notice | Bye | Unknown} Message
 */

/** @type {Unknown} */
const UNKNOWN = { type: "unknown" };

/**
 * @param {string} text
 * @returns {Message}
 */
export function decode(text) {
  const fields = parse(text);
  switch (fields.type) {
    case "hello": {
      const intervalMs = positive(fields.interval_ms) ?? 1000;
      return {
        type: "hello",
        protocol: string(fields.protocol),
        server: string(fields.server),
        host: host(fields.host),
        epoch: string(fields.epoch),
        intervalMs,
        heartbeatMs: positive(fields.heartbeat_ms) ?? 15_000,
        heldMs: (positive(number(fields.next_seq) - number(fields.oldest_seq)) ?? 0) * intervalMs,
        replay: fields.replay ? replay(object(fields.replay)) : null,
      };
    }
    case "schema":
      return {
        type: "schema",
        revision: number(fields.revision),
        series: array(fields.series).map(series),
      };
    case "history":
      return {
        type: "history",
        samples: array(fields.samples).map(sample).filter(isPlaced),
        complete: fields.complete === true,
      };
    case "sample": {
      const live = sample(fields);
      return isPlaced(live) ? { type: "sample", sample: live } : UNKNOWN;
    }
    case "gap":
      return {
        type: "gap",
        epoch: string(fields.epoch),
        fromSeq: number(fields.from_seq),
        toSeq: typeof fields.to_seq === "number" ? fields.to_seq : null,
        reason: string(fields.reason),
      };
    case "heartbeat":
      return { type: "heartbeat", seq: number(fields.seq), time: number(fields.time) };
    case "notice":
      return {
        type: "notice",
        reason: string(fields.reason),
        intervalMs: positive(fields.interval_ms),
        heartbeatMs: positive(fields.heartbeat_ms),
        labels: fields.labels ? strings(fields.labels) : null,
      };
    case "bye":
      return { type: "bye", reason: string(fields.reason), retryMs: positive(fields.retry_ms) };
    default:
      return UNKNOWN;
  }
}

/**
 * @param {string} text
 * @returns {Record<string, unknown>}
 */
function parse(text) {
  try {
    return object(JSON.parse(text));
  } catch {
    return {};
  }
}

/**
 * @param {unknown} value
 * @returns {Host}
 */
function host(value) {
  const fields = object(value);
  return {
    name: string(fields.name),
    os: string(fields.os),
    kernel: string(fields.kernel),
    cpus: number(fields.cpus),
    bootId: string(fields.boot_id),
    labels: strings(fields.labels),
  };
}

/**
 * @param {Record<string, unknown>} fields
 * @returns {Replay}
 */
const replay = (fields) => ({ from: number(fields.from), to: number(fields.to), speed: positive(fields.speed) ?? 0 });

/**
 * @param {unknown} value
 * @returns {Series}
 */
function series(value) {
  const fields = object(value);
  return {
    id: string(fields.id),
    name: string(fields.name),
    unit: string(fields.unit),
    attributes: strings(fields.attributes),
    intervalMs: positive(fields.interval_ms),
  };
}

/**
 * @param {unknown} value
 * @returns {Sample}
 */
function sample(value) {
  const fields = object(value);
  const missed = object(fields.missed);
  return {
    seq: number(fields.seq),
    time: number(fields.time),
    elapsedMs: number(fields.elapsed_ms),
    values: array(fields.values).map(number),
    missed: fields.missed ? { ticks: number(missed.ticks), reason: string(missed.reason) } : null,
  };
}

/**
 * Only a sample with a number and a time has a place on the axis.
 * @param {Sample} sample
 */
function isPlaced(sample) {
  return Number.isFinite(sample.seq) && Number.isFinite(sample.time);
}

/** @param {unknown} value */
const string = (value) => (typeof value === "string" ? value : "");

/** @param {unknown} value */
const number = (value) => (typeof value === "number" ? value : NaN);

/** @param {unknown} value */
const positive = (value) => (typeof value === "number" && value > 0 ? value : null);

/**
 * @param {unknown} value
 * @returns {unknown[]}
 */
const array = (value) => (Array.isArray(value) ? value : []);

/**
 * @param {unknown} value
 * @returns {Record<string, unknown>}
 */
const object = (value) =>
  typeof value === "object" && value !== null ? /** @type {Record<string, unknown>} */ (value) : {};

/**
 * Attribute values may be numbers on the wire (`cpu.logical_number`); here they are all text.
 * @param {unknown} value
 * @returns {Record<string, string>}
 */
const strings = (value) =>
  Object.fromEntries(Object.entries(object(value)).map(([key, entry]) => [key, String(entry)]));
