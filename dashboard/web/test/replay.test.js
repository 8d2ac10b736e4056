import assert from "node:assert/strict";
import test from "node:test";
import { decode } from "../src/protocol.js";
import { replayClock, replayedMs, replayedText, replayTitle } from "../src/replay.js";
import { MAX_ROWS, Store } from "../src/store.js";
import { zonedTime } from "../src/units.js";

const STANDS = { from: 1_000, to: 9_000, speed: 0 };

test("time stands at the end of a recording that is there at once", () => {
  const clock = replayClock(STANDS);
  assert.ok(Number.isNaN(clock.now(5)));
  clock.observe(9_000, 50);
  assert.equal(clock.now(1e9), 9_000);
  assert.equal(replayedText(STANDS, 9_000), `ends ${zonedTime(9_000)}`);
});

test("time goes as fast as a recording is played, and stops at its end", () => {
  const replay = { from: 1_000, to: 9_000, speed: 10 };
  const clock = replayClock(replay);
  clock.observe(1_000, 100);
  assert.equal(clock.now(300), 3_000);
  // What was held up on its way does not set it back.
  clock.observe(1_500, 310);
  assert.equal(clock.now(310), 3_100);
  assert.equal(clock.now(100_000), 9_000);
  assert.equal(replayedText(replay, 3_000), zonedTime(3_000));
  assert.deepEqual([replay, STANDS, { ...STANDS, speed: 1 }].map(replayTitle), ["Replay ×10", "Replay", "Replay"]);
});

test("a page holds as much of a recording as there is room for, and a daemon's own page an hour", () => {
  assert.equal(replayedMs({}), null);
  assert.equal(replayedMs({ replayMs: "50000", intervalMs: "1000" }), 150_000);
  assert.equal(replayedMs({ replayMs: "999999999999", intervalMs: "250" }), MAX_ROWS * 250);
});

test("a hello says whether it is a recording that speaks, and its history says at which moment", () => {
  const hello = decode('{"type":"hello","epoch":"aa","interval_ms":1000,"replay":{"from":1000,"to":9000,"speed":0.0}}');
  assert.ok(hello.type === "hello");
  assert.deepEqual(hello.replay, STANDS);
  const live = decode('{"type":"hello","epoch":"aa"}');
  assert.ok(live.type === "hello" && live.replay === null);

  const history = decode('{"type":"history","samples":[{"seq":1,"time":8000,"values":[]}],"complete":true}');
  for (const [greeting, time] of /** @type {const} */ ([[hello, 8000], [live, NaN]])) {
    const store = new Store();
    store.take(greeting);
    assert.equal(store.take(history), time);
  }
});
