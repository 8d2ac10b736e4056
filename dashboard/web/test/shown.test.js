import assert from "node:assert/strict";
import test from "node:test";
import { HostClock } from "../src/clock.js";
import { points } from "../src/lines.js";
import { Rows } from "../src/rows.js";
import { physicalDevices, physicalInterfaces, plain, valuesOf } from "../src/selection.js";
import { ageText, stateOf } from "../src/state.js";
import { viewOf } from "../src/view.js";

/**
 * @param {string} name
 * @param {Record<string, string>} [attributes]
 */
const series = (name, attributes = {}) => ({ id: name, name, unit: "1", attributes, intervalMs: null });

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
  assert.deepEqual(drawn, [[1, null, 1], [2, null, 3], [-2, null, -3]]);
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
  assert.ok(times.every((time, at) => at === 0 || time > times[at - 1]), "times grow");
  const peak = extremes.indexOf(9);
  assert.equal(extremes[peak + 1], -9, "the peak came first");
  assert.equal(times.indexOf(30_000), extremes.indexOf(null), "the break is where it was");
  assert.equal(extremes.filter((value) => value === null).length, 1);
  assert.ok(means.every((value) => value === null || Math.abs(value - 0.5) < 0.05));
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
