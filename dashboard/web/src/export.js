/**
 * What is visible, as a file.
 */

import { csvOf } from "./csv.js";
import { element } from "./dom.js";
import { DASHES, STACK_FILL } from "./lines.js";
import { color } from "./palette.js";
import { zonedTime } from "./units.js";

/**
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./view.js").View} View
 */

const HEAD = 34;
const FOOT = 8;
const SIDE = 12;
/** Of the legend: a row's height, a key's width, and the room after a label. */
const ROW = 18;
const KEY = 16;
const SPACE = 16;
const SMALL = "11px system-ui, sans-serif";

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
 * @param {Line[]} lines  none for a heat map
 */
export function savePng(name, plot, title, store, lines) {
  const ratio = devicePixelRatio;
  const canvas = element("canvas");
  const context = canvas.getContext("2d");
  if (!context) {
    return;
  }
  context.font = SMALL;
  const width = plot.width + 2 * SIDE;
  const places = legendOf(lines, context, width - 2 * SIDE);
  const height = HEAD + plot.height + (places.at(-1)?.y ?? 0) + ROW + FOOT;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  context.scale(ratio, ratio);
  context.fillStyle = color("surface");
  context.fillRect(0, 0, width, height);
  context.textBaseline = "middle";
  context.font = SMALL;
  context.fillStyle = color("ink-muted");
  context.textAlign = "right";
  const time = zonedTime(plot.view.to);
  context.fillText(time, width - SIDE, HEAD / 2);
  const room = width - 3 * SIDE - context.measureText(time).width;
  context.textAlign = "left";
  context.fillStyle = color("ink");
  context.font = "600 13px system-ui, sans-serif";
  context.fillText(`${title} · ${store.hello?.host.name ?? ""}`, SIDE, HEAD / 2, room);
  context.font = SMALL;
  context.drawImage(plot.canvas, SIDE, HEAD, plot.width, plot.height);
  if (places.length === 0) {
    drawRamp(context, SIDE, HEAD + plot.height + ROW / 2);
  }
  for (const { line, x, y } of places) {
    const [left, middle] = [SIDE + x, HEAD + plot.height + y + ROW / 2];
    drawKey(context, line, left, middle);
    context.fillStyle = color("ink-muted");
    context.fillText(line.label, left + KEY + 5, middle);
  }
  canvas.toBlob((blob) => blob && save(blob, `${name}.png`));
}

/**
 * Where each line's entry goes, in as many rows as it takes.
 * @param {Line[]} lines
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 */
function legendOf(lines, context, width) {
  let [x, y] = [0, 0];
  return lines.map((line) => {
    const needed = KEY + 5 + context.measureText(line.label).width;
    if (x > 0 && x + needed > width) {
      [x, y] = [0, y + ROW];
    }
    const place = { line, x, y };
    x += needed + SPACE;
    return place;
  });
}

/**
 * As in the legend on the page.
 * @param {CanvasRenderingContext2D} context
 * @param {Line} line
 * @param {number} x
 * @param {number} y
 */
function drawKey(context, { color: token, mark, stroke }, x, y) {
  if (mark === "stack") {
    context.fillStyle = color(token, STACK_FILL);
    context.fillRect(x, y - 4, KEY, 8);
    return;
  }
  context.strokeStyle = color(token);
  context.lineWidth = mark === "none" ? 1 : 2;
  context.setLineDash(DASHES[stroke ?? "solid"]);
  context.beginPath();
  if (mark === "none") {
    context.rect(x, y - 4, KEY, 8);
  } else {
    context.moveTo(x, y);
    context.lineTo(x + KEY, y);
  }
  context.stroke();
  context.setLineDash([]);
}

/**
 * What the shades of a heat map mean.
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 */
function drawRamp(context, x, y) {
  const ramp = context.createLinearGradient(x + 30, 0, x + 130, 0);
  ["heat-0", "heat-1", "heat-2", "heat-3"].forEach((token, at) => ramp.addColorStop(at / 3, color(token)));
  context.fillStyle = ramp;
  context.fillRect(x + 30, y - 4, 100, 8);
  context.fillStyle = color("ink-muted");
  context.fillText("idle", x, y);
  context.fillText("busy", x + 136, y);
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
