/**
 * The colours of tokens.css for canvases, which cannot read custom properties themselves.
 */

import { element } from "./dom.js";

/** Those that canvases have. */
const TOKENS = [
  ...["ink", "ink-muted", "surface"],
  ...["blue", "orange", "green", "purple", "sky", "red", "yellow", "grey", "ink"].map((name) => `chart-${name}`),
  ...["label", "grid", "zero", "gap", "restart"].map((name) => `chart-${name}`),
  ...[0, 1, 2, 3].map((step) => `heat-${step}`),
];

const probes = new Map(TOKENS.map((token) => [token, element("i")]));
/** Red, green and blue, 0 to 255. @type {Map<string, number[]>} */
const known = new Map();
/** @type {Map<string, string>} */
const written = new Map();

/**
 * @param {string} token  a custom property's name, without the dashes
 * @param {number} [alpha]
 * @returns {string} a CSS colour
 */
export function color(token, alpha = 1) {
  const key = `${token}/${alpha}`;
  let found = written.get(key);
  if (found === undefined) {
    const [red, green, blue] = channels(token);
    found = `rgba(${red}, ${green}, ${blue}, ${alpha})`;
    written.set(key, found);
  }
  return found;
}

/**
 * @param {string} token
 * @returns {number[]} red, green and blue, 0 to 255
 */
export function channels(token) {
  if (known.size === 0) {
    readAll();
  }
  const found = known.get(token);
  if (!found) {
    throw new Error(`--${token} is none of the colours for canvases`);
  }
  return found;
}

/** To be called when the theme changed. */
export function forgetColors() {
  known.clear();
  written.clear();
}

/** All together, because the browser works out the page's style anew for the first that is read. */
function readAll() {
  const [first] = probes.values();
  if (!first.isConnected) {
    document.body.append(element("div", { hidden: true }, [...probes.values()]));
    probes.forEach((probe, token) => (probe.style.color = `var(--${token})`));
  }
  for (const [token, probe] of probes) {
    // Only a computed `color` has light-dark() resolved; the property itself still reads as written.
    known.set(token, (getComputedStyle(probe).color.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number));
  }
}
