/** That the pictures are of the numbers: what is stacked, mirrored, full, missing. Looked at pixel by pixel. */

import assert from "node:assert/strict";
import test from "node:test";
import { daemonFor, hostFor, visitFor } from "../harness/scene.js";
import { simulatedHost } from "../harness/simulated.js";
import { until } from "../harness/until.js";

/** @typedef {import("../harness/browser.js").Visit} Visit */

/** A pace needs a minute of the past, which this host has by the time that its test comes. */
const elder = simulatedHost(8, { interval: "500ms" });
const born = Date.now();
test.after(async () => (await elder).kill());

/**
 * A canvas, column by column: where each of some colours begins and ends, from the top, in pixels.
 * @param {Visit} visit
 * @param {string} canvas  a selector
 * @param {string[]} tokens
 * @returns {Promise<{ height: number, columns: ({ top: number, bottom: number, count: number } | null)[][] }>} one list a
 *   token, with null where a column has nothing of it
 */
function inkOf(visit, canvas, tokens) {
  return visit.page.evaluate(
    ([selector, ...names]) => {
      const found = /** @type {HTMLCanvasElement} */ (document.querySelector(selector));
      const { width, height } = found;
      const pixels = found.getContext("2d")?.getImageData(0, 0, width, height).data ?? [];
      const columns = names.map((name) => {
        const probe = document.createElement("span");
        probe.style.color = `var(--${name})`;
        document.body.append(probe);
        const wanted = (getComputedStyle(probe).color.match(/\d+/g) ?? []).map(Number);
        probe.remove();
        return Array.from({ length: width }, (_, x) => {
          const rows = Array.from({ length: height }, (_, y) => y).filter((y) => {
            const at = 4 * (y * width + x);
            // The colour itself, or the colour thinned: a canvas has what was drawn, without the ground.
            return pixels[at + 3] > 8 && wanted.every((value, channel) => Math.abs(pixels[at + channel] - value) < 14);
          });
          return rows.length === 0 ? null : { top: rows[0], bottom: rows[rows.length - 1], count: rows.length };
        });
      });
      return { height, columns };
    },
    [canvas, ...tokens],
  );
}

/** @param {string} id */
const canvasOf = (id) => `[data-testid="chart-${id}"] canvas`;

test("each tile has a number, its unit, what it is made of, and a line of how it went", async (t) => {
  const host = await hostFor(t, 4, { interval: "100ms" });
  const visit = await visitFor(t, `${host.url}#span=60000`, { viewport: { width: 1440, height: 900 } });
  await visit.takesMoreSamples(25);
  const wanted = {
    cpu: [/^\d+(\.\d)?%$/, /iowait .* steal/, "chart-blue"],
    memory: [/^[\d.]+GiB$/, /^of 16.0 GiB · \d/, "chart-purple"],
    load: [/^\d+\.\d\d$/, /^5 min \d+\.\d\d · 15 min \d+\.\d\d$/, "chart-sky"],
    network: [/^[\d.]+[MG]bit\/s$/, /↓.*↑/, "chart-green"],
    disk: [/^[\d.]+[KM]iB\/s$/, /^r .* · w /, "chart-orange"],
    pressure: [/^[\d.]+%$/, /most stalled: (cpu|memory|io)/, "chart-red"],
    temperature: [/^[\d.]+°C$/, /package \d/, "chart-yellow"],
  };
  for (const [id, [figure, detail, color]] of Object.entries(wanted)) {
    const tile = visit.page.locator(`[data-testid="tile-${id}"]`);
    assert.match((await tile.locator(".tile-figure").textContent()) ?? "", /** @type {RegExp} */ (figure), id);
    assert.match((await tile.locator(".tile-detail").textContent()) ?? "", /** @type {RegExp} */ (detail), id);
    const { columns } = await inkOf(visit, `[data-testid="tile-${id}"] canvas`, [String(color)]);
    assert.ok(columns[0].filter(Boolean).length >= 3, `${id} has a line`);
  }
});

test("the CPU's layers stand on each other up to the total, memory's up to what is in use", async (t) => {
  const host = await hostFor(t, 4, { interval: "100ms" });
  const visit = await visitFor(t, `${host.url}#span=60000`, { viewport: { width: 1440, height: 1400 }, colorScheme: "light" });
  await visit.takesMoreSamples(60);
  await visit.page.keyboard.press("Space");
  const cpu = await inkOf(visit, canvasOf("cpu"), ["chart-blue", "chart-orange"]);
  const both = cpu.columns[0].flatMap((user, x) => {
    const system = cpu.columns[1][x];
    return user && system && user.count > 4 && system.count > 2 ? [{ user, system }] : [];
  });
  assert.ok(both.length > 10, `${both.length} columns with user and system`);
  assert.ok(both.every(({ user, system }) => system.bottom <= user.top + 3), "system is on top of user");
  // The axis is the whole host, so heights are shares: no lower and no higher than any that came.
  const schema = visit.stream.messages.find(({ type }) => type === "schema");
  const user = schema?.series.findIndex((/** @type {any} */ one) => one.id === "system.cpu.utilization{cpu.mode=user}");
  const shares = visit.samples().map(({ values }) => values[user]);
  const tall = cpu.height - 28;
  const drawn = both.map(({ user: ink }) => ink.count / tall);
  assert.ok(Math.max(...drawn) < Math.max(...shares) + 0.04 && Math.min(...drawn) > Math.min(...shares) - 0.04, `${drawn} of ${shares}`);

  const memory = await inkOf(visit, canvasOf("memory"), ["chart-purple", "chart-green"]);
  const layers = memory.columns[0].flatMap((used, x) => (used && memory.columns[1][x] ? [[used, memory.columns[1][x]]] : []));
  assert.ok(layers.length > 10 && layers.every(([used, cached]) => used && cached && cached.bottom < used.top), "cached is on top of used");
});

test("what comes in goes up from zero, what goes out goes down", async (t) => {
  const host = await hostFor(t, 4, { interval: "100ms" });
  const visit = await visitFor(t, `${host.url}#span=60000`, { viewport: { width: 1440, height: 2600 } });
  await visit.takesMoreSamples(40);
  for (const [id, up, down] of [["network", "chart-green", "chart-orange"], ["disk", "chart-sky", "chart-purple"]]) {
    const [above, below] = (await inkOf(visit, canvasOf(id), [up, down])).columns;
    const pairs = above.flatMap((one, x) => (one && below[x] ? [[one, below[x]]] : []));
    assert.ok(pairs.length > 10, `${id}: ${pairs.length} columns with both`);
    assert.ok(pairs.every(([one, other]) => one && other && one.bottom <= other.top + 2), `${id}: one is above the other`);
  }
});

test("where samples are missing there is no line, and the ground is hatched", async (t) => {
  const daemon = await daemonFor(t, { interval: "100ms", heartbeat: "30s" });
  const visit = await visitFor(t, `${daemon.url}#span=60000`, { viewport: { width: 1440, height: 1400 } });
  await visit.takesMoreSamples(30);
  daemon.signal("SIGSTOP");
  await visit.reaches("stale");
  await until("eight seconds without a sample", async () => /([8-9]|1\d) s ago/.test(await visit.page.locator("#age").innerText()));
  daemon.signal("SIGCONT");
  await visit.reaches("live");
  await visit.takesMoreSamples(15);
  await visit.page.keyboard.press("Space");
  const { columns: [purple, gap] } = await inkOf(visit, canvasOf("memory"), ["chart-purple", "chart-gap"]);
  // The hatching leaves each column of the gap with more of its colour than labels or grid have.
  const hatched = gap.flatMap((ink, x) => (ink && ink.count > 100 ? [x] : []));
  assert.ok(hatched.length > 20, `${hatched.length} hatched columns`);
  const inside = hatched.slice(3, -3);
  assert.deepEqual(inside.filter((x) => purple[x]), [], "nothing is drawn over the gap");
  const drawn = purple.flatMap((ink, x) => (ink ? [x] : []));
  assert.ok(drawn.some((x) => x < inside[0]) && drawn.some((x) => x > inside[inside.length - 1]), "and there is something on both sides");
});

test("filesystems are bars that say how full they are, and how fast they fill", async (t) => {
  const host = await elder;
  await until("more than a minute of the past", () => Date.now() - born > 70_000);
  const visit = await visitFor(t, `${host.url}#span=300000`);
  const bar = visit.page.locator('[data-testid="filesystems"] .bar').nth(1);
  await until("a pace", async () => /\d/.test(await bar.locator(".bar-pace").innerText()));
  const schema = visit.stream.messages.find(({ type }) => type === "schema");
  /** @param {string} state */
  const of = (state) => schema?.series.findIndex(({ name, attributes }) =>
    name === "system.filesystem.usage" && attributes["system.filesystem.mountpoint"] === "/srv/data1" && attributes["system.filesystem.state"] === state);
  const [used, free] = [of("used"), of("free")];
  const samples = visit.samples();
  const [first, last] = [samples[0], samples[samples.length - 1]];
  const ratio = last.values[used] / (last.values[used] + last.values[free]);
  const [figures, pace] = [await bar.locator(".bar-figures").innerText(), await bar.locator(".bar-pace").innerText()];
  assert.match(figures, /^[\d.]+ GiB used · [\d.]+ GiB free · [\d.]+ %$/);
  assert.ok(Math.abs(Number(/([\d.]+) %$/.exec(figures)?.[1]) / 100 - ratio) < 0.002, figures);
  const width = await bar.evaluate((root) => {
    const [fill, track] = [".bar-fill", ".bar-track"].map((part) => /** @type {Element} */ (root.querySelector(part)).getBoundingClientRect().width);
    return fill / track;
  });
  assert.ok(Math.abs(width - ratio) < 0.01, `the bar is ${width} full, not ${ratio}`);
  assert.equal(await bar.locator("[role=meter]").getAttribute("aria-valuenow"), String(Math.round(ratio * 100)));
  // Four megabytes a second, but once an hour, when the simulation begins again.
  const perSecond = ((last.values[used] - first.values[used]) / (last.time - first.time)) * 1000;
  const said = /^(fills|empties) by ([\d.]+) MiB\/s over the last .*/.exec(pace);
  assert.ok(said && Math.abs(Number(said[2]) * 1024 ** 2 * (said[1] === "fills" ? 1 : -1) - perSecond) < Math.abs(perSecond) * 0.02, `${pace}, not ${perSecond}`);
  assert.ok(said[1] === "empties" || / · full in \d+ (h|d)/.test(pace), pace);
});
