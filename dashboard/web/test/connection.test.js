import assert from "node:assert/strict";
import test from "node:test";
import { Backoff } from "../src/backoff.js";
import { Connection, streamUrl } from "../src/connection.js";

/** A browser's surroundings with a clock that moves by hand and sockets that do as they are told. */
class Bench {
  /** @type {any[]} */
  sockets = [];
  /** @type {{ at: number, then: () => void }[]} */
  timers = [];
  /** @type {string[]} */
  phases = [];
  detail = "";
  entrance = 0;
  time = 0;
  /** @type {string | null} */
  position = null;
  isHidden = false;
  /** The numbers of the samples that were passed on. @type {number[]} */
  taken = [];

  constructor() {
    this.connection = new Connection({
      page: "http://host:7117/prefix/",
      resumeFrom: () => this.position,
      onMessage: (message) => message.type === "sample" && this.taken.push(message.sample.seq),
      onLink: (link) => {
        this.phases.push(link.phase);
        this.detail = link.detail;
      },
      around: {
        connect: (url) => {
          const socket = { url, closed: false, close: () => (socket.closed = true) };
          this.sockets.push(socket);
          return /** @type {any} */ (socket);
        },
        now: () => this.time,
        after: (ms, then) => {
          const timer = { at: this.time + ms, then };
          this.timers.push(timer);
          return () => (this.timers = this.timers.filter((one) => one !== timer));
        },
        random: () => 0.5,
        isHidden: () => this.isHidden,
        entrance: async () => this.entrance,
      },
    });
    this.connection.start();
  }

  get socket() {
    return this.sockets[this.sockets.length - 1];
  }

  accept(hello = /** @type {object} */ ({ type: "hello", heartbeat_ms: 1000 })) {
    this.socket.onopen();
    this.say(hello);
    this.say({ type: "history", samples: [], complete: true });
  }

  /** @param {object} message */
  say(message) {
    this.socket.onmessage({ data: JSON.stringify(message) });
  }

  /** @param {number} code */
  hangUp(code, reason = "") {
    this.socket.onclose({ code, reason });
  }

  /** @param {number} ms */
  wait(ms) {
    this.time += ms;
    const due = this.timers.filter(({ at }) => at <= this.time);
    this.timers = this.timers.filter(({ at }) => at > this.time);
    due.forEach(({ then }) => then());
  }
}

test("the address is relative to the page", () => {
  assert.equal(streamUrl("http://h:1/", null), "ws://h:1/api/v1/stream?history=1h");
  assert.equal(streamUrl("https://h/p/?x#y", "ab:7"), "wss://h/p/api/v1/stream?since=ab:7");
});

test("the ceiling doubles up to ten seconds, and jitter takes any part of it", () => {
  const highest = new Backoff(() => 1);
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6].map(() => highest.next()), [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  assert.equal(new Backoff(() => 0).next(), 0);
  const asked = new Backoff(() => 1);
  assert.deepEqual([asked.next(3000), asked.next(3000)], [3000, 6000]);
  assert.equal(new Backoff(() => 1).next(60_000), 60_000);
});

test("it is live once the past is complete", () => {
  const bench = new Bench();
  bench.socket.onopen();
  bench.say({ type: "hello", heartbeat_ms: 1000 });
  bench.say({ type: "history", samples: [], complete: false });
  assert.deepEqual(bench.phases, ["connecting"]);
  bench.say({ type: "history", samples: [], complete: true });
  assert.deepEqual(bench.phases, ["connecting", "live"]);
});

test("after a loss it comes back and resumes", () => {
  const bench = new Bench();
  bench.accept();
  bench.position = "ab:7";
  bench.hangUp(1006);
  assert.equal(bench.phases.at(-1), "reconnecting");
  bench.wait(250);
  assert.equal(bench.sockets.length, 2);
  assert.ok(bench.socket.url.endsWith("?since=ab:7"));
});

test("the wait begins from what the bye asked for", () => {
  const bench = new Bench();
  bench.accept();
  bench.say({ type: "bye", reason: "shutting_down", retry_ms: 4000 });
  bench.hangUp(1001);
  bench.wait(1999);
  assert.equal(bench.sockets.length, 1);
  bench.wait(1);
  assert.equal(bench.sockets.length, 2);
});

test("a final code ends it, with the reason", () => {
  for (const [code, reason] of /** @type {const} */ ([[1008, /refused/], [4401, /asks for a token/], [4403, /not let this page read/]])) {
    const bench = new Bench();
    bench.accept();
    bench.hangUp(code);
    bench.wait(100_000);
    assert.equal(bench.phases.at(-1), "ended");
    assert.match(bench.detail, reason);
    assert.equal(bench.sockets.length, 1);
  }
});

test("a silent peer is given up after two heartbeats, a heartbeat keeps it", () => {
  const bench = new Bench();
  bench.accept();
  bench.wait(1500);
  bench.say({ type: "heartbeat", seq: 1, time: 1 });
  bench.wait(1500);
  assert.equal(bench.phases.at(-1), "live");
  bench.wait(500);
  assert.equal(bench.sockets[0].closed, true);
  assert.equal(bench.phases.at(-1), "reconnecting");
});

test("a handshake that never ends is given up", () => {
  const bench = new Bench();
  bench.wait(10_000);
  assert.equal(bench.phases.at(-1), "reconnecting");
});

test("a resume that keeps being refused becomes plain history, and a resume again if that fails too", () => {
  const bench = new Bench();
  bench.accept();
  bench.position = "ab:7";
  bench.hangUp(1006);
  for (const wanted of ["since=", "since=", "since=", "since=", "history=", "since="]) {
    bench.wait(10_000);
    assert.ok(bench.socket.url.includes(wanted), bench.socket.url);
    bench.hangUp(1006);
  }
  for (let refused = 0; refused < 3; refused += 1) {
    bench.wait(10_000);
    bench.hangUp(1006);
  }
  bench.wait(10_000);
  assert.match(bench.socket.url, /history=/);
  bench.accept();
  bench.hangUp(1006);
  bench.wait(10_000);
  assert.match(bench.socket.url, /since=/);
});

test("waking ends a wait, and finds out about a dead peer", () => {
  const bench = new Bench();
  bench.accept();
  bench.hangUp(1006);
  bench.connection.wake();
  assert.equal(bench.sockets.length, 2);
  bench.accept();
  bench.time += 60_000; // asleep: no timer ran
  bench.connection.wake();
  assert.equal(bench.phases.at(-1), "reconnecting");
});

test("a server that lets nobody in is not asked again and again", async () => {
  for (const [status, ends] of /** @type {const} */ ([[401, true], [403, true], [404, true], [503, false], [0, false]])) {
    const bench = new Bench();
    bench.entrance = status;
    bench.socket.onclose({ code: 1006, reason: "" });
    await Promise.resolve();
    await Promise.resolve();
    assert.deepEqual(bench.phases, ["connecting", "reconnecting", ...(ends ? ["ended"] : [])]);
    assert.equal(bench.timers.length, ends ? 0 : 1, "whether something waits for another attempt");
  }
});

test("a daemon that speaks another protocol is not listened to", () => {
  const bench = new Bench();
  bench.socket.onopen();
  bench.say({ type: "hello", protocol: "hostcast.v2", heartbeat_ms: 1000 });
  assert.equal(bench.phases.at(-1), "ended");
  assert.equal(bench.detail, "the daemon speaks hostcast.v2, and this page hostcast.v1");
  assert.ok(bench.socket.closed);
  bench.wait(100_000);
  assert.equal(bench.sockets.length, 1);
});

/** A hello of a daemon that holds so much of the past, at a sample a second. */
const holding = (/** @type {number} */ seconds) => ({ type: "hello", heartbeat_ms: 1000, interval_ms: 1000, oldest_seq: 1, next_seq: 1 + seconds });

test("while nobody can see the page it hears nothing, and takes every half minute what came meanwhile", () => {
  const bench = new Bench();
  bench.accept(holding(600));
  bench.position = "ab:600";
  bench.isHidden = true;
  bench.connection.rest();
  assert.ok(bench.socket.closed);
  for (let nap = 2; nap < 5; nap += 1) {
    bench.wait(29_999);
    assert.equal(bench.sockets.length, nap - 1);
    bench.wait(1);
    assert.equal(bench.sockets.length, nap);
    assert.ok(bench.socket.url.endsWith("?since=ab:600"));
    bench.accept(holding(600));
    assert.ok(bench.socket.closed, "and naps again");
  }
  assert.ok(bench.phases.slice(1).every((phase) => phase === "live"), "which nobody has to be told of");
});

test("who looks again sees no stale page: what came during the nap is waited for, and not for long", () => {
  const bench = new Bench();
  bench.accept(holding(600));
  bench.isHidden = true;
  bench.connection.rest();
  bench.wait(10_000);
  bench.isHidden = false;
  bench.connection.wake();
  assert.equal(bench.sockets.length, 2, "it is asked for at once");
  assert.ok(bench.connection.isCatchingUp);
  bench.time += 2000;
  assert.ok(!bench.connection.isCatchingUp, "a daemon that is gone does not hide what is held");
  bench.time -= 2000;
  bench.accept(holding(600));
  assert.ok(!bench.connection.isCatchingUp);
  assert.ok(!bench.socket.closed, "and the page listens again");
  bench.wait(1500);
  bench.say({ type: "heartbeat", seq: 1, time: 1 });
  bench.wait(2000);
  assert.equal(bench.phases.at(-1), "reconnecting", "with the watch over silence");
});

test("who looks just when a nap is over waits for what came, too, and a loss ends that", () => {
  const bench = new Bench();
  bench.accept(holding(600));
  bench.isHidden = true;
  bench.connection.rest();
  bench.wait(30_000);
  bench.isHidden = false;
  bench.connection.wake();
  assert.equal(bench.sockets.length, 2, "it is being opened already");
  assert.ok(bench.connection.isCatchingUp);
  bench.hangUp(1006);
  assert.equal(bench.phases.at(-1), "reconnecting");
  assert.ok(!bench.connection.isCatchingUp);
});

test("a notice may change how long silence is borne", () => {
  const bench = new Bench();
  bench.accept();
  bench.say({ type: "notice", reason: "config_reloaded", heartbeat_ms: 5000 });
  bench.wait(9000);
  assert.equal(bench.phases.at(-1), "live");
  bench.wait(1000);
  assert.equal(bench.phases.at(-1), "reconnecting");
});

test("a page naps only while the daemon holds well more than a nap, and looks once more whether it does", () => {
  for (const [held, isEnough] of /** @type {const} */ ([[180, true], [120, false]])) {
    const bench = new Bench();
    bench.accept(holding(100));
    bench.isHidden = true;
    bench.connection.rest();
    assert.ok(!bench.socket.closed);
    // What a daemon says that samples each second.
    const listen = (/** @type {number} */ seconds) => {
      for (let at = 0; at < seconds; at += 1) {
        bench.say({ type: "sample", seq: at, time: at, values: [] });
        bench.wait(1000);
      }
    };
    listen(79);
    assert.equal(bench.sockets.length, 1, "it cannot hold enough yet");
    assert.equal(bench.taken.length, 79);
    listen(1);
    assert.equal(bench.sockets.length, 2);
    bench.accept(holding(held));
    assert.equal(bench.socket.closed, isEnough);
    if (!isEnough) {
      listen(600);
      assert.equal(bench.sockets.length, 2, "a daemon that keeps less is not asked again");
      bench.wait(2000);
      assert.equal(bench.phases.at(-1), "reconnecting", "and its silence is noticed");
    }
  }
});

test("what is not whole yet becomes so before a nap, and a loss is not slept through", () => {
  const bench = new Bench();
  bench.isHidden = true;
  bench.connection.rest();
  assert.ok(!bench.socket.closed, "the page was opened in the background");
  bench.accept(holding(600));
  assert.ok(bench.socket.closed);
  bench.wait(30_000);
  bench.hangUp(1006);
  assert.equal(bench.phases.at(-1), "reconnecting");
  bench.wait(250);
  assert.equal(bench.sockets.length, 3, "it is asked again as soon as ever");
  bench.isHidden = false;
  bench.connection.wake();
  assert.ok(!bench.connection.isCatchingUp, "that is no nap: the page says that it reconnects");
});
