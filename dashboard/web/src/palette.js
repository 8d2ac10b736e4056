/**
 * The colours of tokens.css for canvases, which cannot read custom properties themselves.
 */

import { element } from "./dom.js";

const probe = element("span", { hidden: true });
/** @type {Map<string, string>} */
const known = new Map();

/**
 * @param {string} token  a custom property's name, without the dashes
 * @param {number} [alpha]
 * @returns {string} a CSS colour
 */
export function color(token, alpha = 1) {
  const key = `${token}/${alpha}`;
  let found = known.get(key);
  if (found === undefined) {
    const [red, green, blue] = channels(token);
    found = `rgba(${red}, ${green}, ${blue}, ${alpha})`;
    known.set(key, found);
  }
  return found;
}

/**
 * @param {string} token
 * @returns {number[]} red, green and blue, 0 to 255
 */
export function channels(token) {
  if (!probe.isConnected) {
    document.body.append(probe);
  }
  // Only a computed `color` has light-dark() resolved; the property itself still reads as written.
  probe.style.color = `var(--${token})`;
  return (getComputedStyle(probe).color.match(/[\d.]+/g) ?? ["0", "0", "0"]).slice(0, 3).map(Number);
}

/** To be called when the theme changed. */
export function forgetColors() {
  known.clear();
}
