/**
 * Numbers as a person reads them. Every formatter takes NaN for "missing" and answers with a dash,
 * because a missing value is not a zero.
 */

/**
 * @typedef {{ number: string, unit: string }} Quantity
 * @typedef {(value: number) => Quantity} Formatter
 */

/** @type {Quantity} */
const MISSING = { number: "–", unit: "" };

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const EVENTS = ["/s", "k/s", "M/s"];
const BITS = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];

/**
 * @param {(value: number) => Quantity} format
 * @returns {Formatter}
 */
const unlessMissing = (format) => (value) => (Number.isFinite(value) ? format(value) : MISSING);

export const percent = unlessMissing((ratio) => {
  const value = ratio * 100;
  return { number: value.toFixed(value >= 99.95 ? 0 : 1), unit: "%" };
});

export const bytes = unlessMissing((value) => scaled(value, 1024, BINARY));

export const byteRate = unlessMissing((value) => {
  const { number, unit } = scaled(value, 1024, BINARY);
  return { number, unit: `${unit}/s` };
});

/** Takes bytes per second: links are sold, and shaped, in decimal bits. */
export const bitRate = unlessMissing((value) => scaled(value * 8, 1000, BITS));

let inBytes = false;

/** @param {boolean} chosen */
export function countNetworkInBytes(chosen) {
  inBytes = chosen;
}

/** How an axis in that unit gets round steps. @returns {{ factor: number, binary: boolean }} */
export const networkSteps = () => (inBytes ? { factor: 1, binary: true } : { factor: 8, binary: false });

/** What goes over the network, in the unit that the viewer has chosen. @type {Formatter} */
export const networkRate = (value) => (inBytes ? byteRate(value) : bitRate(value));

export const load = unlessMissing((value) => ({ number: value.toFixed(value < 9.995 ? 2 : 1), unit: "" }));

export const celsius = unlessMissing((value) => ({ number: value.toFixed(1), unit: "°C" }));

export const perSecond = unlessMissing((value) =>
  Math.abs(value) < 999.5 ? { number: value.toFixed(Math.abs(value) >= 99.95 ? 0 : 1), unit: "/s" } : scaled(value, 1000, EVENTS),
);

/** @param {Quantity} quantity */
export function text({ number, unit }) {
  return unit ? `${number} ${unit}` : number;
}

/**
 * Several in a line, with the unit once where they have the same.
 * @param {[string, Quantity][]} parts  each with the words before it
 */
export function joined(parts) {
  const isCommon = parts.every(([, { unit }]) => unit === parts[0][1].unit);
  const texts = parts.map(([words, quantity], at) => words + (isCommon && at < parts.length - 1 ? quantity.number : text(quantity)));
  return texts.join(" · ");
}

/**
 * What all values of a table have in common is at its head; a cell has what is left.
 * @param {Quantity} quantity
 * @param {string} common  the unit of a zero
 */
export function brief({ number, unit }, common) {
  const rest = unit.endsWith(common) ? unit.slice(0, unit.length - common.length) : unit;
  return rest ? `${number} ${rest}` : number;
}

/**
 * The two largest units of a duration.
 * @param {number} seconds
 */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) {
    return MISSING.number;
  }
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days > 0) {
    return `${days} d ${hours} h`;
  }
  if (hours > 0) {
    return `${hours} h ${minutes} min`;
  }
  return minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

/**
 * An axis label: as short as it can be, its number never with needless zeros.
 * @param {Formatter} format
 * @param {number} value
 */
export function axisLabel(format, value) {
  const { number, unit } = format(Math.abs(value));
  const short = number.includes(".") ? number.replace(/\.?0+$/, "") : number;
  return short === "0" ? "0" : text({ number: short, unit });
}

/**
 * Wall-clock time of the viewer, with seconds.
 * @param {number} unixMs
 */
export function clockTime(unixMs) {
  const time = new Date(unixMs);
  // Not `toTimeString`: it looks up the zone's name each time, which was a third of what a chart cost.
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/**
 * The whole truth about a moment, for whoever asks for it.
 * @param {number} unixMs
 */
export function zonedTime(unixMs) {
  return new Date(unixMs).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
}

/**
 * Three significant digits under the largest unit that keeps the number at one or more.
 * @param {number} value
 * @param {number} base
 * @param {string[]} units
 * @returns {Quantity}
 */
function scaled(value, base, units) {
  let rest = Math.abs(value);
  let at = 0;
  // Half a digit early, so that rounding never prints "1000" or "1024" of the smaller unit.
  while (rest >= base - 0.5 && at < units.length - 1) {
    rest /= base;
    at += 1;
  }
  const digits = at === 0 || rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  return { number: (value < 0 ? "-" : "") + rest.toFixed(digits), unit: units[at] };
}
