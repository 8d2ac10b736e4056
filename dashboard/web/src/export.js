/**
 * What is visible, as a file.
 */

import { csvOf } from "./csv.js";
import { element } from "./dom.js";
import { color } from "./palette.js";
import { zonedTime } from "./units.js";

/**
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./view.js").View} View
 */

const HEAD = 34;
const FOOT = 24;
const SIDE = 12;

/**
 * @param {string} name
 * @param {Line[]} lines
 * @param {import("./store.js").Store} store
 * @param {View} view
 */
export function saveCsv(name, lines, store, view) {
  save(new Blob([csvOf(lines, store.rows, view)], { type: "text/csv" }), `${name}.csv`);
}

/**
 * The chart with what a picture needs to be understood elsewhere: title, host, time, legend.
 * @param {string} name
 * @param {import("./plot.js").Plot} plot
 * @param {string} title
 * @param {import("./store.js").Store} store
 * @param {Line[]} lines
 */
export function savePng(name, plot, title, store, lines) {
  const ratio = devicePixelRatio;
  const [width, height] = [plot.width + 2 * SIDE, plot.height + HEAD + FOOT];
  const canvas = element("canvas", { attributes: { width: `${width * ratio}`, height: `${height * ratio}` } });
  const context = canvas.getContext("2d");
  if (!context) {
    return;
  }
  context.scale(ratio, ratio);
  context.fillStyle = color("surface");
  context.fillRect(0, 0, width, height);
  context.textBaseline = "middle";
  context.fillStyle = color("ink");
  context.font = "600 13px system-ui, sans-serif";
  context.fillText(`${title} · ${store.hello?.host.name ?? ""}`, SIDE, HEAD / 2);
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = color("ink-muted");
  context.textAlign = "right";
  context.fillText(zonedTime(plot.view.to), width - SIDE, HEAD / 2);
  context.textAlign = "left";
  context.drawImage(plot.canvas, SIDE, HEAD, plot.width, plot.height);
  let x = SIDE;
  for (const line of lines) {
    context.fillStyle = color(line.color);
    context.fillRect(x, height - FOOT / 2 - 2, 10, 4);
    context.fillStyle = color("ink-muted");
    context.fillText(line.label, x + 14, height - FOOT / 2);
    x += 30 + context.measureText(line.label).width;
  }
  canvas.toBlob((blob) => blob && save(blob, `${name}.png`));
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
function save(blob, name) {
  const href = URL.createObjectURL(blob);
  element("a", { attributes: { href, download: name } }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}
