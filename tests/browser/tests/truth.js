/** That the page never looks better than the truth: gaps, breaks, what is missing, who may see it. */

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { axeViolations } from "../harness/axe.js";
import { Visit } from "../harness/browser.js";
import { scratch } from "../harness/scratch.js";
import { afterwards, daemonFor, hostFor, proxyFor, visitFor } from "../harness/scene.js";
import { until } from "../harness/until.js";

/**
 * Moves the crosshair over the CPU chart until what is said there matches.
 * @param {Visit} visit
 * @param {RegExp} wanted
 */
async function sayAt(visit, wanted) {
  const plot = visit.page.locator('[data-testid="chart-cpu"] .plot');
  const time = visit.page.locator('[data-testid="chart-cpu"] .card-time');
  return until(`the crosshair to say ${wanted}`, async () => {
    const box = await plot.boundingBox();
    assert.ok(box);
    for (let x = box.x + box.width - 12; x > box.x + 62; x -= 3) {
      await visit.page.mouse.move(x, box.y + 60);
      const said = await time.innerText();
      if (wanted.test(said)) {
        return said;
      }
    }
    return "";
  });
}

test("time moves on though nothing comes; the stretch is shaded, and says why", async (t) => {
  const daemon = await daemonFor(t, { heartbeat: "30s" });
  const visit = await visitFor(t, `${daemon.url}#span=60000`);
  await visit.takesMoreSamples(8);
  const drawn = await visit.drawings();
  daemon.signal("SIGSTOP");
  await visit.reaches("stale");
  const stale = await visit.drawings();
  await until("the picture to move", async () => (await visit.drawings()) > stale + 5);
  assert.ok(stale > drawn);
  const opacity = await visit.page.evaluate(() => getComputedStyle(/** @type {Element} */ (document.querySelector(".plot canvas"))).opacity);
  assert.ok(Number(opacity) < 1, "what is stale is dimmed");
  await sayAt(visit, /nothing has come since/);
  assert.equal(await visit.page.locator('[data-testid="chart-cpu"] tbody td').first().innerText(), "–", "there is no value in a gap");

  daemon.signal("SIGCONT");
  await visit.reaches("live");
  await visit.takesMoreSamples(3);
  await sayAt(visit, /not taken: the daemon was held up/);
});

test("a restart says so where the lines end, and the new past follows", async (t) => {
  const daemon = await daemonFor(t);
  const visit = await visitFor(t, `${daemon.url}#span=60000`);
  await visit.takesMoreSamples(4);
  visit.expectOutage();
  await daemon.kill();
  await visit.reaches("reconnecting");
  const { samples } = await visit.facts();
  await daemonFor(t, { port: daemon.port });
  await visit.reaches("live");
  await visit.holdsSamples(samples + 4);
  await sayAt(visit, /the daemon was restarted/);
});

/** Where Debian and others keep it. */
function libfaketime() {
  const folders = readdirSync("/usr/lib").map((name) => path.join("/usr/lib", name, "faketime/libfaketime.so.1"));
  return folders.find((library) => existsSync(library)) ?? "";
}

/**
 * A page over a daemon whose clock can be set.
 * @param {import("node:test").TestContext} t
 * @param {string} library
 */
async function withClock(t, library) {
  const clock = path.join(mkdtempSync(path.join(scratch, "clock-")), "offset");
  writeFileSync(clock, "+0");
  const daemon = await daemonFor(t, {
    interval: "100ms",
    wrap: ["/usr/bin/env", `LD_PRELOAD=${library}`, `FAKETIME_TIMESTAMP_FILE=${clock}`, "FAKETIME_NO_CACHE=1", "DONT_FAKE_MONOTONIC=1"],
  });
  const visit = await visitFor(t, `${daemon.url}#span=60000`);
  await visit.takesMoreSamples(30);
  return { visit, step: (/** @type {number} */ seconds) => writeFileSync(clock, `${seconds < 0 ? "" : "+"}${seconds}`) };
}

/** @param {Visit} visit */
const newestAtTheEdge = (visit) =>
  until("the newest at the right edge", async () => /^every/.test(await visit.page.locator("#age").innerText()));

const faketime = libfaketime();
const skip = faketime === "" && "libfaketime is not installed";

test("a host's clock that is set back leaves one time axis that only grows", { skip }, async (t) => {
  const { visit, step } = await withClock(t, faketime);
  const before = await visit.facts();
  step(-20);
  await until("the step", () => visit.samples().some(({ time }, at, all) => at > 0 && time < all[at - 1].time - 15_000));
  await visit.reaches("live");
  await until("more samples", async () => (await visit.facts()).lastSeq > before.lastSeq + 40);
  const after = await visit.facts();
  assert.ok(after.samples <= after.lastSeq - before.lastSeq, "what the new time contradicts is gone");
  assert.ok(after.gaps > before.gaps, "and the step is a break");
  assert.equal(after.epoch, before.epoch);
  await newestAtTheEdge(visit);
});

test("a host's clock that is set forward leaves a gap, which says so", { skip }, async (t) => {
  const { visit, step } = await withClock(t, faketime);
  const before = await visit.facts();
  step(20);
  await until("the step", () => visit.samples().some(({ time }, at, all) => at > 0 && time > all[at - 1].time + 15_000));
  await visit.takesMoreSamples(10);
  assert.ok((await visit.facts()).gaps > before.gaps);
  assert.ok((await visit.facts()).samples > before.samples, "what came before is still there");
  await newestAtTheEdge(visit);
  await sayAt(visit, /no samples: the host's clock was set forward/);
});

test("a device that is plugged in gets its chart, and loses none of its past when it goes", async (t) => {
  const plug = path.join(scratch, "plug");
  const host = await hostFor(t, 4, { interval: "100ms", plug });
  const visit = await visitFor(t, host.url);
  const { page } = visit;
  const chart = page.locator('[data-testid="chart-disk-usb0"]');
  await visit.takesMoreSamples(5);
  assert.equal(await chart.count(), 0);
  writeFileSync(plug, "");
  await chart.waitFor({ state: "attached" });
  await chart.scrollIntoViewIfNeeded();
  await until("values of the new disk", async () => /\d/.test(await chart.locator("tbody td").first().innerText()));
  rmSync(plug);
  await until("another schema", () => visit.stream.messages.filter(({ type }) => type === "schema").length >= 3);
  await visit.takesMoreSamples(5);
  assert.equal(await chart.count(), 1, "what was measured is still there");
  assert.equal((await visit.facts()).gaps, visit.missedTicks, "the others have no break");
  assert.match(await page.locator("#banner-text").textContent() ?? "", /series changed/);
});

test("before the first sample the page says that it waits", async (t) => {
  const daemon = await daemonFor(t);
  const proxy = await proxyFor(t, daemon);
  proxy.holdStreams();
  const visit = await Visit.open(proxy.url);
  afterwards(t, () => visit.close());
  visit.expectOutage();
  await visit.page.locator("#waiting").waitFor({ state: "visible" });
  assert.deepEqual(await axeViolations(visit.page), []);
  assert.equal(await visit.page.locator(".card[data-testid^=chart]").count(), 0, "no chart pretends to have something");
  assert.equal(await visit.page.locator('[data-testid="tile-cpu"] .tile-value').innerText(), "–");
  proxy.mend();
  await visit.holdsSamples(1);
  await visit.page.locator("#waiting").waitFor({ state: "hidden" });
});

test("when the network is back, or somebody looks again, nobody waits", async (t) => {
  const daemon = await daemonFor(t);
  const visit = await visitFor(t, daemon.url);
  let alive = daemon;
  visit.expectOutage();
  for (const event of ["online", "visibilitychange"]) {
    // Waits are random: with the longest ones the page would wait for seconds.
    await visit.page.evaluate(() => {
      Math.random = () => 0.999;
    });
    const port = daemon.port;
    const last = visit.streams.length;
    await alive.kill();
    await until("some attempts in vain", () => visit.streams.length >= last + 3);
    alive = await daemonFor(t, { port });
    const begun = performance.now();
    const attempts = visit.streams.length;
    await visit.page.evaluate((name) => {
      (name === "online" ? window : document).dispatchEvent(new Event(name));
    }, event);
    await until("an attempt", () => visit.streams.length > attempts);
    assert.ok(performance.now() - begun < 2000, "the wait would have been four seconds");
    await visit.reaches("live");
  }
});

test("while nobody can see it nothing is drawn, nothing is lost, and it is there at once", async (t) => {
  const host = await hostFor(t, 4, { interval: "100ms" });
  const visit = await visitFor(t, host.url);
  await visit.takesMoreSamples(10);
  await visit.hide(true);
  await visit.takesMoreSamples(2);
  const drawn = await visit.drawings();
  await visit.takesMoreSamples(40);
  assert.equal(await visit.drawings(), drawn);
  await visit.hide(false);
  await until("a picture", async () => (await visit.drawings()) > drawn);
  assert.equal((await visit.facts()).gaps, visit.missedTicks);
});

test("a page that nobody sees lets a daemon that holds enough keep its samples, and has them all at once when somebody looks", async (t) => {
  const host = await hostFor(t, 4, { interval: "100ms" });
  const visit = await visitFor(t, host.url);
  // As after three minutes, for which no test waits: the ring does hold all that this one needs.
  await visit.page.addInitScript(() => {
    const { get } = /** @type {{ get: () => string }} */ (Object.getOwnPropertyDescriptor(MessageEvent.prototype, "data"));
    Object.defineProperty(MessageEvent.prototype, "data", {
      /** @this {MessageEvent} */
      get() {
        return get.call(this).replace(/"oldest_seq":\d+/, '"oldest_seq":-10000');
      },
    });
  });
  await visit.page.reload();
  await visit.reaches("live");
  await visit.takesMoreSamples(10);
  const states = await visit.page.evaluateHandle(() => {
    /** @type {(string | undefined)[]} */
    const seen = [];
    const { dataset } = document.documentElement;
    new MutationObserver(() => seen.push(dataset.state)).observe(document.documentElement, { attributeFilter: ["data-state"] });
    return seen;
  });
  const { stream } = visit;
  await visit.hide(true);
  await until("the stream is closed", () => stream.isClosed);
  const asleep = await visit.facts();
  const newest = async () => (await (await fetch(`${host.url}api/v1/samples?last=1s`)).json()).next_seq;
  // Longer than a page that hears nothing takes to look stale.
  await until("four seconds of samples", async () => (await newest()) > asleep.lastSeq + 40);
  assert.equal((await visit.facts()).samples, asleep.samples, "nothing woke it");

  await visit.hide(false);
  await visit.holdsSamples(asleep.samples + 40);
  assert.ok(visit.stream.url.search.endsWith(`since=${asleep.epoch}:${asleep.lastSeq}`), visit.stream.url.search);
  await visit.takesMoreSamples(10);
  assert.equal((await visit.facts()).gaps, visit.missedTicks);
  assert.deepEqual(await states.jsonValue(), [], "it was live all the time, as far as anybody could see");
});

test("who asked for less motion gets at most one picture a second", async (t) => {
  const host = await hostFor(t, 4, { interval: "100ms" });
  const visit = await visitFor(t, `${host.url}#span=60000`, { reducedMotion: "reduce" });
  await visit.takesMoreSamples(10);
  const frames = await visit.page.evaluate(
    () =>
      new Promise((resolve) => {
        /** @type {number[]} */
        const times = [];
        const clear = CanvasRenderingContext2D.prototype.clearRect;
        CanvasRenderingContext2D.prototype.clearRect = function (...args) {
          const now = performance.now();
          if (times.length === 0 || now - times[times.length - 1] > 100) {
            times.push(now);
          }
          if (times.length === 5) {
            resolve(times);
          }
          return clear.apply(this, args);
        };
      }),
  );
  const gaps = /** @type {number[]} */ (frames).slice(1).map((time, at) => time - /** @type {number[]} */ (frames)[at]);
  assert.ok(gaps.every((gap) => gap > 850), gaps.join());
});
