/** That last night can be looked at: a recording of a real daemon, with a gap, in the page. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { Visit } from "../harness/browser.js";
import { hostcast, recorderFor, replayFor } from "../harness/recording.js";
import { afterwards, daemonFor } from "../harness/scene.js";
import { until } from "../harness/until.js";

/** @typedef {import("node:test").TestContext} TestContext */

/**
 * Some seconds of a daemon that was killed half way.
 * @param {TestContext} t
 */
async function recordingFor(t) {
  const settings = { interval: "100ms", more: '[labels]\nsite = "fra1"' };
  const daemon = await daemonFor(t, settings);
  const recorder = recorderFor(t, daemon);
  const has = async (/** @type {number} */ count) => (await recorder.lines()).filter(({ type }) => type === "sample").length >= count;
  await until("the first half", () => has(20));
  await daemon.kill();
  const before = (await recorder.lines()).length;
  const second = await daemonFor(t, { ...settings, port: daemon.port });
  await until("the second half", () => has(before + 20));
  await recorder.stop();
  await second.kill();
  const lines = await recorder.lines();
  return { folder: recorder.folder, samples: lines.filter(({ type }) => type === "sample"), lines };
}

/**
 * @param {TestContext} t
 * @param {string} url
 */
async function visitReplay(t, url) {
  const visit = await Visit.open(url);
  afterwards(t, () => visit.close());
  await visit.reaches("replay");
  return visit;
}

test("a replay shows the recorded numbers at the recorded times, with the gap, and says that it is one", async (t) => {
  const recording = await recordingFor(t);
  const { text, code } = await hostcast("verify", recording.folder, "--json");
  assert.equal(code, 3, "a gap, and nothing worse");
  assert.deepEqual(Object.keys(JSON.parse(text).hosts[0].gaps), ["restarted"]);

  const replay = await replayFor(t, recording.folder);
  const visit = await visitReplay(t, replay.url);
  const { page } = visit;
  const { samples } = recording;
  await visit.holdsSamples(samples.length);

  // What the page was told is what was recorded.
  const { series } = visit.stream.messages.filter(({ type }) => type === "schema")[0];
  const load = "system.cpu.load_average.1m";
  const column = series.findIndex((/** @type {any} */ { id }) => id === load);
  const told = visit.samples();
  assert.deepEqual(told.map(({ time }) => time), samples.map(({ time }) => time));
  assert.deepEqual(told.map(({ values }) => values[column]), samples.map(({ values }) => values[load]));

  // What the page shows is what it was told, and all of it is visible.
  const card = page.locator('[data-testid="chart-load"]');
  await card.hover();
  const [csv] = await Promise.all([page.waitForEvent("download"), card.getByRole("button", { name: "CSV" }).click()]);
  const rows = readFileSync(await csv.path(), "utf8").trimEnd().split("\r\n").slice(1).map((row) => row.split(","));
  assert.deepEqual(rows.map(([time]) => Date.parse(time)), samples.map(({ time }) => time));
  assert.deepEqual(rows.map(([, value]) => Number(value)), samples.map(({ values }) => values[load]));
  assert.equal((await visit.facts()).gaps, 1 + visit.missedTicks);

  // And it says what it is.
  assert.equal(await page.locator("#state-text").innerText(), "Replay");
  const end = await page.evaluate((ms) => new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" }), samples[samples.length - 1].time);
  assert.equal(await page.locator("#age").innerText(), `ends ${end}`);
  assert.match(await page.title(), /replay/);
  assert.match(await page.locator("#host-labels").innerText(), /fra1/);
  const opacity = await page.evaluate(() => getComputedStyle(/** @type {Element} */ (document.querySelector(".plot canvas"))).opacity);
  assert.equal(Number(opacity), 1, "it is not dimmed, for nothing is late");

  // Its time does not go on, though the page draws once a second.
  const { length } = visit.stream.messages;
  await until("a sign of life", () => visit.stream.messages.slice(length).some(({ type }) => type === "heartbeat"));
  assert.equal(visit.stream.messages[visit.stream.messages.length - 1].time, samples[samples.length - 1].time);
  assert.equal(await page.locator("#age").innerText(), `ends ${end}`);
  assert.equal(await page.locator("#state-text").innerText(), "Replay");
  await page.locator("#open-drawer").click();
  await until("the recording's ends in the drawer", async () => /Replay[\s\S]*From[\s\S]*To/.test(await page.locator("#drawer-body").innerText()));
});

test("a replay that is played begins where it was told to and goes on as fast as it was told to, up to its end", async (t) => {
  const { folder, samples } = await recordingFor(t);
  const from = String(samples[10].time);
  const slow = await visitReplay(t, (await replayFor(t, folder, "--from", from, "--speed", "0.1")).url);
  assert.equal(await slow.page.locator("#state-text").innerText(), "Replay ×0.1");
  // However late the page came, what was played by then is behind what came before.
  const past = () => slow.stream.messages.filter(({ type }) => type === "history");
  await until("all of the past", () => past().some(({ complete }) => complete));
  const times = past().flatMap((message) => message.samples).map(({ time }) => time);
  assert.deepEqual(times.slice(0, 10), samples.slice(0, 10).map(({ time }) => time), "what came before is history");
  assert.equal(slow.stream.messages[0].replay.speed, 0.1);

  const visit = await visitReplay(t, (await replayFor(t, folder, "--from", from, "--speed", "2")).url);
  await until("the end", async () => /^ends /.test(await visit.page.locator("#age").innerText()));
  await visit.holdsSamples(samples.length);
  assert.deepEqual(visit.samples().map(({ time }) => time), samples.map(({ time }) => time));
  assert.equal((await visit.facts()).state, "replay", "the end is no outage");
});
