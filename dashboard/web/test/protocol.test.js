import assert from "node:assert/strict";
import test from "node:test";
import { decode } from "../src/protocol.js";

/** @param {object} message */
const decoded = (message) => decode(JSON.stringify(message));

test("a hello tells of the host, and what it leaves out has a default", () => {
  const hello = decoded({
    type: "hello",
    protocol: "1",
    server: "hostcast/0.1.0",
    host: { name: "web-1", os: "Debian", kernel: "6.1", cpus: 4, boot_id: "b", labels: { site: "fra1" } },
    epoch: "00ff",
    interval_ms: 250,
    from_the_future: true,
  });
  assert.equal(hello.type, "hello");
  assert.equal(hello.host.bootId, "b");
  assert.deepEqual(hello.host.labels, { site: "fra1" });
  assert.equal(hello.intervalMs, 250);
  assert.equal(hello.heartbeatMs, 15_000);
});

test("a missing value is NaN, never zero", () => {
  const live = decoded({ type: "sample", seq: 7, time: 1000, elapsed_ms: 1000, values: [0, null, 0.5] });
  assert.equal(live.type, "sample");
  assert.deepEqual(live.sample.values, [0, NaN, 0.5]);
  assert.equal(live.sample.missed, null);
});

test("missed ticks are read with their reason", () => {
  const live = decoded({
    type: "sample",
    seq: 7,
    time: 1000,
    values: [],
    missed: { ticks: 3, reason: "suspended" },
  });
  assert.deepEqual(live.sample.missed, { ticks: 3, reason: "suspended" });
});

test("attributes are text, also where the wire has numbers", () => {
  const schema = decoded({
    type: "schema",
    revision: 2,
    series: [
      { id: "a{cpu.logical_number=3}", name: "a", unit: "1", attributes: { "cpu.logical_number": 3 } },
      { id: "b", name: "b", unit: "By", interval_ms: 10_000 },
    ],
  });
  assert.equal(schema.series[0].attributes["cpu.logical_number"], "3");
  assert.equal(schema.series[0].intervalMs, null);
  assert.equal(schema.series[1].intervalMs, 10_000);
  assert.deepEqual(schema.series[1].attributes, {});
});

test("a notice has the labels that hold from now on, or says nothing of them", () => {
  const labels = (/** @type {object} */ fields) => {
    const notice = decoded({ type: "notice", reason: "config_reloaded", ...fields });
    assert.equal(notice.type, "notice");
    return notice.labels;
  };
  assert.deepEqual(labels({ labels: { site: "nbg1", rack: 7 } }), { site: "nbg1", rack: "7" });
  assert.deepEqual(labels({ labels: {} }), {}, "there are none any more");
  assert.equal(labels({}), null);
});

test("a gap whose end nobody knows has no end", () => {
  const gap = decoded({ type: "gap", epoch: "aa", from_seq: 5, to_seq: null, reason: "restarted" });
  assert.deepEqual(gap, { type: "gap", epoch: "aa", fromSeq: 5, toSeq: null, reason: "restarted" });
});

test("history drops what has no place on the axis and keeps the rest", () => {
  const history = decoded({
    type: "history",
    samples: [{ seq: 1, time: 10, values: [1] }, { values: [2] }, null, { seq: 2, time: 20, values: [3] }],
    complete: true,
  });
  assert.deepEqual(history.samples.map(({ seq }) => seq), [1, 2]);
  assert.equal(history.complete, true);
});

test("what this page does not understand is unknown, not an error", () => {
  for (const text of ["", "{", "null", "[]", "7", '{"type":"novelty"}', '{"type":"sample"}']) {
    assert.deepEqual(decode(text), { type: "unknown" }, text);
  }
});
