import assert from "node:assert/strict";
import test from "node:test";
import { Store } from "../src/store.js";

const CPU = { id: "cpu", name: "cpu", unit: "1", attributes: {}, intervalMs: null };
const DISK = { id: "disk", name: "disk", unit: "By", attributes: {}, intervalMs: null };

/** @param {string} [epoch] */
const hello = (epoch = "aa", intervalMs = 1000) => ({
  type: /** @type {const} */ ("hello"),
  protocol: "1",
  server: "hostcast/0.1.0",
  host: { name: "h", os: "", kernel: "", cpus: 1, bootId: "", labels: {} },
  epoch,
  intervalMs,
  heartbeatMs: 15_000,
  heldMs: 0,
  replay: null,
});

/** @param {number} seq */
const sample = (seq, values = [seq / 100], time = seq * 1000, missed = null) => ({
  seq,
  time,
  elapsedMs: 1000,
  values,
  missed,
});

/** @param {string} reason */
const gap = (reason) => ({ type: /** @type {const} */ ("gap"), epoch: "aa", fromSeq: 1, toSeq: null, reason });

function started(series = [CPU]) {
  const store = new Store();
  store.greet(hello());
  store.setSchema(series);
  return store;
}

/** @param {Store} store */
const seqs = ({ rows }) => [...rows.seq.subarray(rows.first, rows.end)];

/** @param {Store} store */
const values = ({ rows, columns }, id = "cpu") => [...(columns.get(id)?.values.subarray(rows.first, rows.end) ?? [])];

/** Which of the rows have a value that is not an older one that still holds. @param {Store} store */
const readings = (store, id = "cpu") => [...seqs(store).keys()].filter((at) => !store.columns.get(id)?.isHeld(store.rows.first + at));

test("samples that follow each other have no break between them", () => {
  const store = started();
  [1, 2, 3].forEach((seq) => store.append(sample(seq)));
  assert.deepEqual(seqs(store), [1, 2, 3]);
  assert.deepEqual(values(store), [0.01, 0.02, 0.03]);
  assert.equal(store.gapCount, 0);
  assert.equal(store.position(), "aa:3");
});

test("a jump in seq is a break", () => {
  const store = started();
  store.append(sample(1));
  store.append(sample(5));
  assert.deepEqual(seqs(store), [1, NaN, 5]);
  assert.deepEqual(store.breaks, [{ from: 1000, to: 5000, reason: "missing" }]);
  assert.equal(store.rows.samples, 2);
});

test("a gap message and the jump that it explains are one gap", () => {
  const store = started();
  store.append(sample(1));
  store.noteGap(gap("slow"));
  store.append(sample(5));
  assert.equal(store.gapCount, 1);
  assert.equal(store.breaks[0].reason, "slow");
});

test("missed ticks are a break although seq goes on", () => {
  const store = started();
  store.append(sample(1));
  store.append(sample(2, [0.5], 9000, { ticks: 7, reason: "suspended" }));
  assert.deepEqual(seqs(store), [1, NaN, 2]);
  assert.equal(store.breaks[0].reason, "suspended");
});

test("a new epoch is one restart, announced or not", () => {
  for (const announced of [true, false]) {
    const store = started();
    store.append(sample(100));
    store.greet(hello("bb"));
    if (announced) {
      store.noteGap(gap("restarted"));
    }
    store.setSchema([CPU]);
    store.append(sample(1, [0.1], 130_000));
    assert.deepEqual(seqs(store), [100, NaN, 1]);
    assert.equal(store.breaks[0].reason, "restarted");
    assert.equal(store.gapCount, 1);
    assert.equal(store.position(), "bb:1");
  }
});

test("history that overlaps what is held is not held twice", () => {
  const store = started();
  [1, 2, 3].forEach((seq) => store.append(sample(seq)));
  store.greet(hello());
  store.setSchema([CPU]);
  [2, 3, 4].forEach((seq) => store.append(sample(seq)));
  assert.deepEqual(seqs(store), [1, 2, 3, 4]);
  assert.equal(store.gapCount, 0);
});

test("the schema may change between samples", () => {
  const store = started();
  store.append(sample(1, [0.1]));
  store.setSchema([DISK, CPU]);
  store.append(sample(2, [500, 0.2]));
  store.setSchema([DISK]);
  store.append(sample(3, [600]));
  assert.deepEqual(values(store), [0.1, 0.2, NaN]);
  assert.deepEqual(values(store, "disk"), [NaN, 500, 600]);
});

test("a schema that is known already has nothing built anew, and what it says of its series holds", () => {
  const store = started([CPU, DISK]);
  const { revision } = store;
  store.setSchema([CPU, { ...DISK, intervalMs: 10_000 }]);
  assert.equal(store.revision, revision);
  assert.equal(store.columns.get("disk")?.series.intervalMs, 10_000);
  store.setSchema([DISK, CPU]);
  assert.equal(store.revision, revision + 1);
  const empty = new Store();
  empty.setSchema([]);
  assert.equal(empty.revision, 1, "that there are none is news, too");
});

test("a series that left, and of which nothing is held, is forgotten", () => {
  const store = started([CPU, DISK]);
  store.append(sample(1, [0.1, NaN]));
  store.setSchema([CPU]);
  assert.deepEqual([...store.columns.keys()], ["cpu"]);
});

test("a clock that was set back replaces what it contradicts", () => {
  const store = started();
  [1, 2, 3, 4].forEach((seq) => store.append(sample(seq)));
  store.append(sample(5, [0.9], 2500));
  assert.deepEqual(seqs(store), [1, 2, NaN, 5]);
  assert.equal(store.rows.samples, 3);
  const times = [...store.rows.time.subarray(store.rows.first, store.rows.end)];
  assert.deepEqual(times, [...times].sort((a, b) => a - b));
});

test("a clock that was set forward leaves a gap, where no time has passed", () => {
  const store = started();
  [1, 2, 3].forEach((seq) => store.append(sample(seq)));
  store.append(sample(4, [0.4], 64_000));
  store.append(sample(5, [0.5], 66_000));
  assert.deepEqual(seqs(store), [1, 2, 3, NaN, 4, 5], "a second more than elapsed is no step");
  assert.deepEqual(store.breaks, [{ from: 3000, to: 64_000, reason: "clock_forward" }]);
});

test("an hour is held, at the interval of the daemon", () => {
  const store = started();
  for (let seq = 1; seq <= 10_000; seq += 1) {
    store.append(sample(seq));
  }
  assert.equal(store.rows.samples, 3600);
  assert.equal(store.rows.seq[store.rows.first], 6401);
  assert.deepEqual(values(store).slice(-2), [99.99, 100]);
  assert.ok(store.rows.time.length <= 4200, "memory does not grow past what is held and an eighth");
});

test("a slow series keeps its reading until the next is overdue, and knows which of its values are readings", () => {
  const store = started([{ ...CPU, intervalMs: 3000 }]);
  [0.5, NaN, NaN, 0.6, NaN, NaN, NaN, NaN, NaN, NaN, NaN].forEach((value, at) => store.append(sample(at + 1, [value])));
  assert.deepEqual(values(store), [0.5, 0.5, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, NaN]);
  assert.deepEqual(readings(store), [0, 3, 10]);
});

test("what is a reading and what is held moves with the rows, and is written anew where the clock was set back", () => {
  const store = started([{ ...CPU, intervalMs: 3000 }]);
  for (let seq = 1; seq <= 5000; seq += 1) {
    store.append(sample(seq, [seq % 3 === 0 ? seq : NaN]));
  }
  const seqsOfReadings = () => readings(store).map((at) => seqs(store)[at]);
  assert.ok(seqsOfReadings().length === 1200 && seqsOfReadings().every((seq) => seq % 3 === 0));
  // From 4,000 on each is a reading, where two thirds were held ones.
  for (let seq = 5001; seq <= 5100; seq += 1) {
    store.append(sample(seq, [seq], (seq - 1000) * 1000));
  }
  assert.deepEqual(seqsOfReadings().slice(-100), Array.from({ length: 100 }, (_, at) => 5001 + at));
});

test("values are held as the stream says them", () => {
  const store = started([CPU, DISK]);
  store.append(sample(1, [0.1, 2 ** 40 + 1]));
  assert.deepEqual([values(store), values(store, "disk")], [[0.1], [2 ** 40 + 1]]);
});

test("memory stays what it was, however long the page is open", () => {
  const store = started([CPU, DISK]);
  const sizes = new Set();
  for (let seq = 1; seq <= 50_000; seq += 1) {
    store.append(sample(seq, [seq, seq]));
    if (seq > 4000) {
      sizes.add(store.rows.time.length);
    }
  }
  assert.deepEqual([...sizes], [4051]);
  assert.deepEqual(values(store).slice(-1), [50_000]);
});

test("a host with very many series is held for a shorter time, within the same memory", () => {
  const store = new Store();
  store.greet(hello("aa", 100));
  store.setSchema(Array.from({ length: 4096 }, (_, at) => ({ ...CPU, id: `cpu${at}` })));
  for (let seq = 1; seq <= 7000; seq += 1) {
    store.append(sample(seq, [seq], seq * 100));
  }
  assert.equal(store.rows.samples, 3072);
});

test("labels that a notice tells of take the place of those of the hello, and nothing else does", () => {
  const store = started();
  /** @param {Record<string, string> | null} labels */
  const notice = (labels, intervalMs = null) =>
    store.take({ type: "notice", reason: "config_reloaded", intervalMs, labels });
  notice({ site: "nbg1" });
  assert.deepEqual(store.hello?.host.labels, { site: "nbg1" });
  assert.equal(store.hello?.host.name, "h");
  notice(null);
  assert.deepEqual(store.hello?.host.labels, { site: "nbg1" }, "a notice of something else");
  notice({});
  assert.deepEqual(store.hello?.host.labels, {});
  assert.equal(store.intervalMs, 1000);
});
