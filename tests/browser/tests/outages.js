/** What the page makes of a daemon that dies, stops, hangs or cannot be reached. */

import assert from "node:assert/strict";
import test from "node:test";
import { daemonFor, proxyFor, visitFor } from "../harness/scene.js";
import { until } from "../harness/until.js";

/**
 * @param {import("../harness/browser.js").Visit} visit
 * @param {string} epoch  the one that is over
 */
async function reachesNewEpoch(visit, epoch) {
  await visit.page.waitForFunction(
    (old) => document.documentElement.dataset.state === "live" && document.documentElement.dataset.epoch !== old,
    epoch,
  );
}

/**
 * How many pixels have the colour of a restart's line, in the column of the CPU chart that has most.
 * @param {import("../harness/browser.js").Visit} visit
 */
function restartPixels(visit) {
  return visit.page.evaluate(() => {
    const probe = document.createElement("span");
    probe.style.color = "var(--chart-restart)";
    document.body.append(probe);
    const [red, green, blue] = (getComputedStyle(probe).color.match(/\d+/g) ?? []).map(Number);
    probe.remove();
    const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector('[data-testid="chart-cpu"] canvas'));
    const image = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    const found = new Array(canvas.width).fill(0);
    for (let at = 0; at < image.length; at += 4) {
      const off = Math.abs(image[at] - red) + Math.abs(image[at + 1] - green) + Math.abs(image[at + 2] - blue);
      found[(at / 4) % canvas.width] += off < 40 ? 1 : 0;
    }
    return Math.max(...found);
  });
}

/**
 * Fails unless the samples of an epoch came one after the other, each once.
 * @param {import("../harness/browser.js").Visit} visit
 */
function expectContiguous(visit) {
  const seqs = visit.samples().map(({ seq }) => seq);
  assert.ok(seqs.length > 0, "no sample came");
  assert.deepEqual(seqs, seqs.map((_, at) => seqs[0] + at));
}

test("a killed daemon shows as reconnecting; its successor goes on after a gap", async (t) => {
  const daemon = await daemonFor(t);
  const visit = await visitFor(t, daemon.url);
  await visit.holdsSamples(8);
  visit.expectOutage();
  // A series may happen to have the colour, but not from top to bottom.
  assert.ok((await restartPixels(visit)) < 40, "nothing looks like a restart before there is one");

  await daemon.kill();
  await visit.reaches("reconnecting");
  const before = await visit.facts();
  await daemonFor(t, { port: daemon.port });
  await reachesNewEpoch(visit, before.epoch ?? "");
  await visit.holdsSamples(before.samples + 4);

  const after = await visit.facts();
  assert.ok(after.gaps > before.gaps);
  const gap = visit.stream.messages.find(({ type }) => type === "gap");
  assert.deepEqual(
    [gap?.reason, gap?.epoch, gap?.from_seq, gap?.to_seq],
    ["restarted", before.epoch, before.lastSeq + 1, null],
  );
  await until("the restart's line on the chart", async () => (await restartPixels(visit)) > 60);
});

test("a daemon that is told to stop says goodbye, and the page comes back to the next one", async (t) => {
  const daemon = await daemonFor(t);
  const visit = await visitFor(t, daemon.url);
  const before = await visit.facts();
  const first = visit.stream;
  visit.expectOutage();

  assert.equal(await daemon.stop(), 0);
  await visit.reaches("reconnecting");
  const last = first.messages[first.messages.length - 1];
  assert.equal(last.type, "bye");
  assert.ok(last.retry_ms > 0, "it says when to come back");

  await daemonFor(t, { port: daemon.port });
  await reachesNewEpoch(visit, before.epoch ?? "");
  await visit.takesMoreSamples(4);
});

test("a daemon that hangs is stale, with a growing age; the ticks it missed are a gap", async (t) => {
  const daemon = await daemonFor(t, { heartbeat: "30s" });
  const visit = await visitFor(t, daemon.url);
  const age = () => visit.page.evaluate(() => Number(document.getElementById("age")?.dataset.value));

  daemon.signal("SIGSTOP");
  await visit.reaches("stale");
  const { lastSeq, gaps } = await visit.facts();
  const stale = await age();
  assert.ok(stale >= 3000, `stale at an age of ${stale} ms`);
  await until("the age to grow", async () => (await age()) >= stale + 1500);
  assert.match(await visit.page.locator("#age").innerText(), /^last sample \d+ s ago$/);
  assert.equal((await visit.facts()).lastSeq, lastSeq, "nothing came");

  daemon.signal("SIGCONT");
  await visit.reaches("live");
  await visit.takesMoreSamples(4);
  const missed = visit.samples().find(({ seq }) => seq > lastSeq)?.missed;
  assert.equal(missed?.reason, "late");
  // Four a second, and it hung for the age that was seen.
  assert.ok(missed.ticks >= (4 * stale) / 1000 - 2, `missed ${missed.ticks} ticks`);
  assert.ok((await visit.facts()).gaps > gaps, "the page counts a gap");
  assert.equal(visit.streams.length, 1, "the connection was not lost");
});

test("a daemon that hangs past its heartbeat is given up, and nothing it took is missing", async (t) => {
  const daemon = await daemonFor(t, { heartbeat: "1s" });
  const visit = await visitFor(t, daemon.url);
  visit.expectOutage();

  daemon.signal("SIGSTOP");
  await visit.reaches("reconnecting");
  daemon.signal("SIGCONT");
  await visit.reaches("live");
  await visit.takesMoreSamples(4);
  assert.ok(visit.streams.length > 1);
  expectContiguous(visit);
});

test("a connection that breaks within a frame is resumed without losing a sample", async (t) => {
  const daemon = await daemonFor(t, { interval: "100ms" });
  const proxy = await proxyFor(t, daemon);
  const visit = await visitFor(t, proxy.url);
  await visit.takesMoreSamples(10);
  const before = await visit.facts();
  visit.expectOutage();

  await proxy.tear(2);
  await visit.reaches("reconnecting");
  const { epoch, lastSeq } = await visit.facts();
  await until("the third attempt", () => visit.streams.length === 4);
  await visit.reaches("live");
  await visit.takesMoreSamples(10);

  // The attempts that failed, and the one that did not: all know where they stand.
  const asked = visit.streams.map(({ url }) => url.search);
  assert.deepEqual(asked, ["?history=1h", ...Array(3).fill(`?since=${epoch}:${lastSeq}`)]);
  const after = await visit.facts();
  assert.equal(after.epoch, before.epoch);
  assert.equal(after.gaps, visit.missedTicks, "no gap where nothing is missing");
  expectContiguous(visit);
  const first = visit.samples()[0].seq;
  assert.ok(after.samples >= after.lastSeq - first, "the page kept what came before");
});

test("an unplugged cable is noticed, and what was missed comes when it is back", async (t) => {
  const daemon = await daemonFor(t, { interval: "100ms", heartbeat: "1s" });
  const proxy = await proxyFor(t, daemon);
  const visit = await visitFor(t, proxy.url);
  await visit.takesMoreSamples(5);
  visit.expectOutage();

  proxy.unplug();
  await visit.reaches("reconnecting");
  proxy.mend();
  await visit.reaches("live");
  await visit.takesMoreSamples(5);
  assert.equal((await visit.facts()).gaps, visit.missedTicks);
  expectContiguous(visit);
});

test("a successor with another interval is shown at its own pace", async (t) => {
  const daemon = await daemonFor(t);
  const visit = await visitFor(t, daemon.url);
  await visit.takesMoreSamples(2);
  visit.expectOutage();
  await daemon.kill();
  await visit.reaches("reconnecting");
  const before = await visit.facts();

  await daemonFor(t, { port: daemon.port, interval: "1s" });
  await reachesNewEpoch(visit, before.epoch ?? "");
  await visit.takesMoreSamples(2);
  assert.match(await visit.page.locator("#age").innerText(), /^every second$/);
});
