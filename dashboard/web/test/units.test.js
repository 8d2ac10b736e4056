import assert from "node:assert/strict";
import test from "node:test";
import { axisLabel, bitRate, byteRate, bytes, celsius, duration, joined, load, percent, text } from "../src/units.js";

test("a missing value is a dash in every unit", () => {
  for (const format of [percent, bytes, byteRate, bitRate, load, celsius]) {
    assert.equal(text(format(NaN)), "–");
  }
  assert.equal(duration(NaN), "–");
});

test("what stands in a line has its unit once, where it is the same", () => {
  assert.equal(joined([["r ", byteRate(2048)], ["w ", byteRate(3072)]]), "r 2.00 · w 3.00 KiB/s");
  assert.equal(joined([["r ", byteRate(2048)], ["w ", byteRate(0)]]), "r 2.00 KiB/s · w 0 B/s");
  assert.equal(joined([["r ", byteRate(NaN)], ["w ", byteRate(0)]]), "r – · w 0 B/s");
  assert.equal(joined([["5 min ", load(1)], ["15 min ", load(2)]]), "5 min 1.00 · 15 min 2.00");
});

test("ratios become percent", () => {
  assert.deepEqual([0, 0.0123, 0.4567, 0.9996, 1].map((ratio) => text(percent(ratio))), [
    "0.0 %",
    "1.2 %",
    "45.7 %",
    "100 %",
    "100 %",
  ]);
});

test("bytes are binary, with three digits and never 1024 of a unit", () => {
  const cases = { 0: "0 B", 1023: "1023 B", 1024: "1.00 KiB", 1536: "1.50 KiB", 1048575: "1.00 MiB" };
  for (const [value, expected] of Object.entries(cases)) {
    assert.equal(text(bytes(Number(value))), expected);
  }
  assert.equal(text(bytes(17_825_792_000)), "16.6 GiB");
  assert.equal(text(byteRate(123 * 1024)), "123 KiB/s");
});

test("network rates are decimal bits", () => {
  assert.equal(text(bitRate(125_000)), "1.00 Mbit/s");
  assert.equal(text(bitRate(124_999.9)), "1.00 Mbit/s");
  assert.equal(text(bitRate(12.5)), "100 bit/s");
});

test("an axis has no needless digits, and no sign below zero", () => {
  assert.equal(axisLabel(percent, 0.5), "50 %");
  assert.equal(axisLabel(bytes, 4 * 1024 ** 3), "4 GiB");
  assert.equal(axisLabel(bitRate, -2_000_000), "16 Mbit/s");
  assert.equal(axisLabel(bytes, 0), "0");
});

test("durations have the two largest units", () => {
  assert.deepEqual([42, 61, 3_720, 90_000].map(duration), ["42 s", "1 min", "1 h 2 min", "1 d 1 h"]);
});
