/**
 * Finds series among the columns, and decides which of them may be added up.
 */

/** @typedef {import("./rows.js").Column} Column */

/**
 * @param {Map<string, Column> | Column[]} columns
 * @param {string} name
 * @param {Record<string, string>} [attributes]  those that must match; others may be anything
 * @returns {Column[]}
 */
export function named(columns, name, attributes = {}) {
  const wanted = Object.entries(attributes);
  return [...columns.values()].filter(
    ({ series }) =>
      series.name === name && wanted.every(([key, value]) => series.attributes[key] === value),
  );
}

/**
 * The one series of this name without attributes, such as the CPU utilization of the whole host.
 * @param {Map<string, Column> | Column[]} columns
 * @param {string} name
 * @returns {Column[]}  one or none
 */
export function plain(columns, name) {
  return named(columns, name).filter(({ series }) => Object.keys(series.attributes).length === 0);
}

/**
 * The distinct values of an attribute, in natural order (`eth2` before `eth10`).
 * @param {Column[]} columns
 * @param {string} attribute
 */
export function valuesOf(columns, attribute) {
  const values = new Set(columns.flatMap(({ series }) => series.attributes[attribute] ?? []));
  return [...values].sort(inNaturalOrder);
}

/**
 * By hand: the browser's own takes 10 ms to get ready, and they would be missing from the first picture.
 * @param {string} one
 * @param {string} other
 * @returns {number} negative, zero or positive, as for sorting
 */
export function inNaturalOrder(one, other) {
  const [a, b] = [one, other].map((name) => name.replace(/\d+/g, (digits) => digits.padStart(12, "0")));
  return a < b ? -1 : a > b ? 1 : 0;
}

const VIRTUAL_INTERFACE = /^(lo$|veth|docker|br-|virbr|cni|flannel|cali|tap|tun|wg|dummy|ifb)/;
const STACKED_DEVICE = /^(dm-|md\d|loop|ram|zram)/;

/**
 * The interfaces whose sum is the host's traffic: a packet to a container also crosses a bridge
 * and a veth, and must not count three times.
 * @param {string[]} names
 */
export function physicalInterfaces(names) {
  return unlessNone(names, VIRTUAL_INTERFACE);
}

/**
 * Likewise for disks: what an LVM volume or a RAID writes, the disks below it write again.
 * @param {string[]} names
 */
export function physicalDevices(names) {
  return unlessNone(names, STACKED_DEVICE);
}

/**
 * @param {string[]} names
 * @param {RegExp} excluded
 */
function unlessNone(names, excluded) {
  const rest = names.filter((name) => !excluded.test(name));
  return rest.length > 0 ? rest : names;
}
