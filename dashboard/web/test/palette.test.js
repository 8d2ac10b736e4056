import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { STACK_FILL } from "../src/lines.js";
import { SECTIONS } from "../src/panels.js";
import { Store } from "../src/store.js";

/** @typedef {import("../src/lines.js").Line} Line */
/** @typedef {number[]} Color  red, green and blue, 0 to 1 */

/**
 * How those see light who lack one kind of cone (complete deficiency): Machado, Oliveira and Fernandes, "A
 * Physiologically-based Model for Simulation of Color Vision Deficiency", IEEE TVCG 15(6), 2009. For linear light.
 */
const EYES = {
  "full colour vision": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritanopia: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};

/** In OKLab, where 0.02 is a difference that can just be noticed when both lie side by side. */
const APART = 0.08;

const TOKENS = new Map(
  [...readFileSync(new URL("../src/tokens.css", import.meta.url), "utf8").matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)]
    .map(([, name, light, dark]) => [name, { light: rgb(light), dark: rgb(dark) }]),
);
const THEMES = /** @type {const} */ (["light", "dark"]);

/**
 * @param {string} token
 * @param {"light" | "dark"} theme
 * @returns {Color}
 */
function colorOf(token, theme) {
  const found = TOKENS.get(token);
  assert.ok(found, `tokens.css has no --${token}`);
  return found[theme];
}

/** @param {string} hex @returns {Color} */
function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);
}

/** @param {Color} color */
const linear = (color) => color.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));

/** Björn Ottosson's OKLab, of linear light. @param {Color} color */
function oklab([red, green, blue]) {
  const [l, m, s] = [
    0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue,
    0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue,
    0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue,
  ].map(Math.cbrt);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/**
 * @param {Color} color
 * @param {number[][]} eye
 */
function seen(color, eye) {
  const light = linear(color);
  return oklab(eye.map((row) => Math.min(1, Math.max(0, row.reduce((sum, part, at) => sum + part * light[at], 0)))));
}

/**
 * As it lies on the ground of a card.
 * @param {Line} line
 * @param {"light" | "dark"} theme
 */
function drawn({ color, mark }, theme) {
  const cover = mark === "stack" ? STACK_FILL : 1;
  const ground = colorOf("surface", theme);
  return colorOf(color, theme).map((part, at) => cover * part + (1 - cover) * ground[at]);
}

/** WCAG's. @param {Color} one @param {Color} other */
function contrast(one, other) {
  const [high, low] = [one, other]
    .map((color) => linear(color).reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0))
    .sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

/** Every chart that there is, of a host that has everything. */
function charts() {
  /** @type {[name: string, attributes: Record<string, string>[]][]} */
  const everything = [
    ["system.cpu.utilization", [{}, ...["user", "nice", "system", "idle", "iowait", "interrupt", "steal"].map((mode) => ({ "cpu.mode": mode }))]],
    ["system.cpu.utilization", Array.from({ length: 15 }, (_, core) => ({ "cpu.logical_number": String(core) }))],
    ...["1m", "5m", "15m"].map((span) => /** @type {[string, {}[]]} */ ([`system.cpu.load_average.${span}`, [{}]])),
    ["system.linux.pressure", ["cpu", "memory", "io"].flatMap((resource) =>
      ["some", "full"].map((level) => ({ "system.pressure.resource": resource, "system.pressure.level": level })))],
    ["system.memory.limit", [{}]],
    ["system.memory.usage", ["used", "buffers", "cached", "free"].map((state) => ({ "system.memory.state": state }))],
    ["system.linux.memory.available", [{}]],
    ["system.paging.usage", ["used", "free"].map((state) => ({ "system.paging.state": state }))],
    ...["system.network.io", "system.network.packet.count"].map((name) => /** @type {[string, Record<string, string>[]]} */ ([name, ["eth0", "eth1"].flatMap((nic) =>
      ["receive", "transmit"].map((direction) => ({ "network.interface.name": nic, "network.io.direction": direction })))])),
    ...["system.disk.io", "system.disk.operations"].map((name) => /** @type {[string, Record<string, string>[]]} */ ([name, ["sda", "sdb"].flatMap((device) =>
      ["read", "write"].map((direction) => ({ "system.device": device, "disk.io.direction": direction })))])),
    ["hw.temperature", Array.from({ length: 15 }, (_, sensor) => ({ "hw.id": `${sensor}`, "hw.name": `sensor ${sensor}` }))],
  ];
  const store = new Store();
  store.setSchema(
    everything.flatMap(([name, all]) =>
      all.map((attributes) => ({ id: JSON.stringify([name, attributes]), name, unit: "1", attributes, intervalMs: null })),
    ),
  );
  return SECTIONS.flatMap(({ panels }) => panels(store)).map((kind) => {
    const picture = kind.picture(store);
    assert.ok(picture, `this host lacks ${kind.title}`);
    return { title: kind.title, lines: picture.lines.filter(({ mark }) => mark !== "none") };
  });
}

test("series that share a chart are told apart by everyone: by colour, by stroke or by place", () => {
  const found = charts();
  assert.ok(found.length >= 15, `${found.length} charts`);
  const alike = [];
  for (const theme of THEMES) {
    for (const [eye, matrix] of Object.entries(EYES)) {
      for (const { title, lines } of found) {
        for (const [at, one] of lines.entries()) {
          for (const other of lines.slice(at + 1)) {
            const place = (one.below ?? false) !== (other.below ?? false);
            const stroke = (one.stroke ?? "solid") !== (other.stroke ?? "solid");
            const [a, b] = [one, other].map((line) => seen(drawn(line, theme), matrix));
            const apart = Math.hypot(...a.map((part, axis) => part - b[axis]));
            if (!place && !stroke && apart < APART) {
              alike.push(`${theme}, ${eye}, ${title}: ${one.label} and ${other.label} are ${apart.toFixed(3)} apart`);
            }
          }
        }
      }
    }
  }
  assert.deepEqual(alike, []);
});

test("a heat map reads without colours: its ramp only grows lighter, or only darker", () => {
  for (const theme of THEMES) {
    for (const [eye, matrix] of Object.entries(EYES)) {
      const lightness = [0, 1, 2, 3].map((step) => seen(colorOf(`heat-${step}`, theme), matrix)[0]);
      const steps = lightness.slice(1).map((value, at) => (value - lightness[at]) * (theme === "light" ? -1 : 1));
      assert.ok(steps.every((step) => step >= 0.1), `${theme}, ${eye}: ${steps}`);
    }
  }
});

test("lines stand out from the ground, and what is written on a canvas can be read", () => {
  for (const theme of THEMES) {
    for (const token of TOKENS.keys()) {
      const least = { "chart-label": 4.5, "chart-restart": 4.5, "chart-grid": 1, "chart-zero": 1.5 }[token] ?? 3;
      if (token.startsWith("chart-")) {
        const found = contrast(colorOf(token, theme), colorOf("surface", theme));
        assert.ok(found >= least, `${theme}: --${token} has a contrast of ${found.toFixed(2)} to its ground`);
      }
    }
  }
});
