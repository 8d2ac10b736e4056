import assert from "node:assert/strict";
import test from "node:test";
import { HostClock } from "../src/clock.js";
import { fold, Points } from "../src/fold.js";
import { Rows } from "../src/rows.js";
import { Runs } from "../src/runs.js";
import { physicalDevices, physicalInterfaces, plain, valuesOf } from "../src/selection.js";
import { csvOf } from "../src/csv.js";
import { axisOver } from "../src/scale.js";
import { Shown } from "../src/shown.js";
import { ageText, stateOf } from "../src/state.js";
import { Store } from "../src/store.js";
import { bytes, percent } from "../src/units.js";
import { snapped, viewOf } from "../src/view.js";

/**
 * @param {string} name
 * @param {Record<string, string>} [attributes]
 */
const series = (name, attributes = {}) => ({ id: name, name, unit: "1", attributes, intervalMs: null });

/**
 * The points of some lines as plain lists.
 * @param {import("../src/lines.js").Line[]} lines
 * @param {Rows} rows
 * @param {import("../src/view.js").View} view
 * @param {number} pixels
 * @param {Runs} [runs]  of these lines
 */
function points(lines, rows, view, pixels, runs = new Runs(lines)) {
  const out = new Points();
  runs.update(rows, view, pixels);
  fold(out, runs, rows, view);
  return [out.times, ...out.heights].map((numbers) => [...numbers.subarray(0, out.length)]);
}

test("an open connection whose samples stopped coming is stale", () => {
  assert.equal(stateOf("live", 2000, 1000), "live");
  assert.equal(stateOf("live", 3001, 1000), "stale");
  assert.equal(stateOf("live", 20_000, 10_000), "live");
  assert.equal(stateOf("live", NaN, 1000), "live");
  assert.equal(stateOf("reconnecting", 60_000, 1000), "reconnecting");
});

test("the age is told once a sample is late", () => {
  assert.equal(ageText(NaN, 1000), "no sample yet");
  assert.equal(ageText(900, 1000), "every second");
  assert.equal(ageText(300, 250), "every 0.25 s");
  assert.equal(ageText(12_400, 1000), "last sample 12 s ago");
  assert.equal(ageText(200_000, 1000), "last sample 3 min ago");
});

test("the host's clock is what the fastest message says", () => {
  const clock = new HostClock();
  assert.ok(Number.isNaN(clock.now(0)));
  clock.observe(1_000_000, 150);
  clock.observe(1_001_000, 1020);
  clock.observe(1_002_000, 2400);
  assert.equal(clock.now(3000), 1_002_980);
  clock.observe(500_000, 4000);
  assert.equal(clock.now(4000), 500_000);
});

test("a stack adds up, a mirrored line goes down, and a break stays a break", () => {
  const rows = new Rows(10);
  const [first, second] = [rows.addColumn(series("a")), rows.addColumn(series("b"))];
  [1, NaN, 2].forEach((seq, at) => {
    const row = rows.push(at, seq);
    first.values[row] = Number.isNaN(seq) ? NaN : 1;
    second.values[row] = Number.isNaN(seq) ? NaN : seq;
  });
  /** @type {import("../src/lines.js").Line} */
  const base = { label: "", color: "", columns: [first], mark: "stack" };
  const [times, ...drawn] = points(
    [base, { ...base, columns: [second] }, { ...base, mark: "area", below: true, columns: [first, second] }],
    rows,
    viewOf(rows, 2, "all"),
    600,
  );
  assert.deepEqual(times, [0, 1, 2]);
  assert.deepEqual(drawn, [[1, NaN, 1], [2, NaN, 3], [-2, NaN, -3]]);
});

test("a view begins one row early, so that a line reaches the edge", () => {
  const rows = new Rows(100);
  for (let seq = 0; seq < 100; seq += 1) {
    rows.push(seq * 1000, seq);
  }
  assert.deepEqual(viewOf(rows, 90_500, 60_000), { from: 30_500, to: 90_500, first: 30, end: 91, last: 90 });
  assert.equal(viewOf(rows, 99_000, "all").from, 0);
  assert.equal(viewOf(new Rows(5), 1000, "all").last, -1);
});

test("a short past makes a short axis, until the time asked for is held", () => {
  const rows = new Rows(1000);
  rows.push(0, 1);
  /** @param {number} now */
  const span = (now) => now - viewOf(rows, now, 300_000).from;
  assert.deepEqual([1000, 60_000, 60_001, 150_000, 3_600_000].map(span), [60_000, 60_000, 120_000, 180_000, 300_000]);
});

test("of many samples under a pixel the extremes are drawn, and of a sum the mean", () => {
  const rows = new Rows(10_000);
  const column = rows.addColumn(series("a"));
  for (let seq = 0; seq < 6000; seq += 1) {
    const row = rows.push(seq * 10, seq === 3000 ? NaN : seq);
    column.values[row] = seq === 3000 ? NaN : seq === 4321 ? 9 : seq === 4322 ? -9 : seq % 2;
  }
  /** @type {import("../src/lines.js").Line} */
  const line = { label: "", color: "", columns: [column], mark: "line" };
  const [times, extremes, means] = points([line, { ...line, mean: true }], rows, viewOf(rows, 59_990, 60_000), 100);
  assert.ok(times.length <= 2 * 53, `${times.length} points for 100 pixels`);
  assert.ok(times.every((time, at) => at === 0 || time >= times[at - 1]), "times grow");
  const peak = extremes.indexOf(9);
  assert.equal(extremes[peak + 1], -9, "the peak came first");
  assert.equal(times.indexOf(30_000), extremes.findIndex(Number.isNaN), "the break is where it was");
  assert.equal(extremes.filter(Number.isNaN).length, 2, "it has two points like any other run");
  assert.ok(means.every((value) => Number.isNaN(value) || Math.abs(value - 0.5) < 0.05));
});

test("traffic is counted once, and loopback counts where there is nothing else", () => {
  assert.deepEqual(physicalInterfaces(["docker0", "eth0", "lo", "veth12"]), ["eth0"]);
  assert.deepEqual(physicalInterfaces(["lo"]), ["lo"]);
  assert.deepEqual(physicalDevices(["dm-0", "md0", "nvme0n1", "vda"]), ["nvme0n1", "vda"]);
});

test("the total is the series without attributes, and names sort by their numbers", () => {
  const rows = new Rows(5);
  const columns = ["10", "2", undefined].map((core) =>
    rows.addColumn(series("cpu", core === undefined ? {} : { core })),
  );
  assert.deepEqual(plain(columns, "cpu"), [columns[2]]);
  assert.deepEqual(valuesOf(columns, "core"), ["2", "10"]);
});

/** A row a second, with its number as the value, and a break before the fifth. */
function tenRows() {
  const rows = new Rows(100);
  const column = rows.addColumn(series("a"));
  for (let seq = 0; seq < 10; seq += 1) {
    if (seq === 5) {
      rows.push(4500, NaN);
    }
    column.values[rows.push(seq * 1000, seq)] = seq === 7 ? NaN : seq;
  }
  /** @type {import("../src/lines.js").Line} */
  const line = { label: "a, b", color: "", columns: [column], mark: "line" };
  return { rows, line };
}

test("the figures are of what is visible, and a missing value is in none of them", () => {
  const { rows, line } = tenRows();
  const figures = { now: 0, min: 0, mean: 0, max: 0 };
  const runs = new Runs([line]);
  const view = viewOf(rows, 9000, "all");
  runs.update(rows, view, 600);
  runs.describe(runs.tracks[0], rows, view, figures);
  assert.deepEqual(figures, { now: 9, min: 0, mean: 38 / 9, max: 9 });
});

test("a view moves by whole pixels: between two of them nothing has changed", () => {
  const { rows } = tenRows();
  const at = [60_000, 60_001, 60_100].map((now) => snapped(viewOf(rows, now, 60_000), rows, 600).to);
  assert.deepEqual(at, [60_000, 60_100, 60_100], "and the newest sample is visible");
});

test("an axis ends at round values", () => {
  const ends = [0.37, 3.2, 87, 1234].map((max) => axisOver(0, max, { format: percent, pixels: 160 }).max);
  assert.deepEqual(ends, [0.4, 4, 100, 1500]);
  const octets = axisOver(-3000, 3000, { format: percent, binary: true, pixels: 160 });
  assert.deepEqual([octets.min, octets.max], [-4096, 4096]);
  assert.deepEqual(axisOver(0, 1, { format: percent, fixed: true, pixels: 160 }).ticks.map(({ label }) => label), ["0", "25 %", "50 %", "75 %", "100 %"]);
});

test("an axis that ends where something is full says where that is", () => {
  /** @param {number} max */
  const labels = (max) => axisOver(0, max, { format: bytes, binary: true, fixed: true, pixels: 160 }).ticks.map(({ label }) => label);
  assert.deepEqual(labels(23.5 * 1024 ** 3), ["0", "8 GiB", "16 GiB", "23.5 GiB"]);
  assert.deepEqual(labels(32 * 1024 ** 3), ["0", "8 GiB", "16 GiB", "24 GiB", "32 GiB"]);
  assert.deepEqual(labels(17 * 1024 ** 3), ["0", "8 GiB", "16 GiB"], "no room for another");
});

test("CSV has a row a visible sample, none in a gap, and nothing for what is missing", () => {
  const { rows, line } = tenRows();
  const lines = csvOf([line], rows, viewOf(rows, 9000, "all")).trimEnd().split("\r\n");
  assert.equal(lines[0], 'time,"a, b (1)"');
  assert.equal(lines.length, 11);
  assert.equal(lines[1], "1970-01-01T00:00:00.000Z,0");
  assert.equal(lines[8], "1970-01-01T00:00:07.000Z,");
});

test("CSV repeats no reading of a slow series, and its digits are those of the stream", () => {
  const store = new Store();
  const slow = { ...series("a"), intervalMs: 3000 };
  store.setSchema([slow, series("b"), series("c")]);
  [[0.1, 0.1, 0.2], [NaN, 2 ** 24 + 1, 2 ** 52], [NaN, NaN, 7.1e-7], [0.3, 1 / 3, 0.25]].forEach((values, at) =>
    store.append({ seq: at + 1, time: 1000 * at, elapsedMs: 1000, values, missed: null }),
  );
  const [a, b, c] = store.columns.values();
  /** @type {import("../src/lines.js").Line} */
  const line = { label: "slow", color: "", columns: [a], mark: "line" };
  const lines = [line, { ...line, label: "one", columns: [b] }, { ...line, label: "sum", columns: [b, c] }];
  const rows = csvOf(lines, store.rows, viewOf(store.rows, 3000, "all")).trimEnd().split("\r\n").slice(1);
  assert.deepEqual(rows.map((row) => row.replace(/^[^,]+,/, "")), [
    "0.1,0.1,0.3",
    `,16777217,${2 ** 52 + 2 ** 24 + 1}`,
    ",,7.1e-7",
    `0.3,${1 / 3},0.583333333333333`,
  ]);
});

test("a link says what is shown, and is read back to the same", () => {
  const shown = new Shown();
  shown.choose(900_000);
  shown.zoomTo(1_000_000, 1_030_000);
  shown.toggle("cpu:user");
  shown.toggle("memory:swap used");
  const again = new Shown();
  again.read(shown.hash());
  assert.deepEqual([again.span, again.zoom, again.hidden], [shown.span, shown.zoom, shown.hidden]);
  again.read("#span=7&from=x&to=1");
  assert.equal(again.span, 900_000, "nonsense changes nothing");
});

test("who pans moves by just that much, and by nothing where the finger only goes up", () => {
  const shown = new Shown();
  const drawn = { from: 1000, to: 61_000, first: 0, end: 0, last: -1 };
  shown.pan(drawn, 0);
  assert.equal(shown.zoom, null, "it is live still");
  shown.pan(drawn, -500);
  // Charts draw it at their next pixel, here a tenth of a second later.
  const next = { ...drawn, from: 600, to: 60_600 };
  shown.pan(next, -500);
  shown.pan(next, -500);
  assert.deepEqual(shown.zoom, { from: -500, to: 59_500 });
  shown.scale(next, 0.5, -500);
  assert.deepEqual(shown.zoom, { from: -500, to: 29_500 });
});

test("nobody can zoom in so far that there is nothing", () => {
  const shown = new Shown();
  shown.zoomTo(10_000, 10_000);
  assert.deepEqual(shown.zoom, { from: 9000, to: 11_000 });
});
