/** What a viewer can press, and that the page stays usable however it is looked at. */

import assert from "node:assert/strict";
import test from "node:test";
import { Daemon } from "../harness/daemon.js";
import { afterwards, daemonFor, visitFor } from "../harness/scene.js";
import { start } from "../harness/scratch.js";
import { until } from "../harness/until.js";

/** @typedef {import("../harness/browser.js").Visit} Visit */

const MINUTE_MS = 60_000;

/** Started first, so that it has a past longer than the shortest window when its tests come. */
const elder = Daemon.start({ interval: "100ms" });
const born = Date.now();
test.after(async () => (await elder).kill());

/** Resolves once the elder daemon holds more than the shortest window shows. */
async function grownElder() {
  await until("a past of more than a minute", () => Date.now() - born > MINUTE_MS + 10_000);
  return elder;
}

/**
 * What time the crosshair shows somewhere on the CPU chart.
 * @param {Visit} visit
 * @param {number} share  of the plot's width
 * @returns {Promise<number>} seconds before the newest sample
 */
async function secondsAgoAt(visit, share) {
  const plot = visit.page.locator('[data-testid="chart-cpu"] .plot');
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  assert.ok(box, "the chart has a plot");
  // The axis takes some of it on the left, and a margin on the right.
  const [left, right] = [box.x + 62, box.x + box.width - 10];
  await visit.page.mouse.move(left + (right - left) * share, box.y + box.height / 2);
  const text = await until("a time under the crosshair", async () => {
    const shown = await visit.page.locator('[data-testid="chart-cpu"] .card-time').innerText();
    return /^\d\d:\d\d:\d\d$/.test(shown) && shown;
  });
  await visit.page.mouse.move(0, 0);
  const [hours, minutes, seconds] = text.split(":").map(Number);
  const now = new Date();
  const day = 86_400;
  const at = now.getHours() * 3600 + now.getMinutes() * 60 + now.getSeconds();
  return (at - (hours * 3600 + minutes * 60 + seconds) + day) % day;
}

/** @param {Visit} visit */
const shown = (visit) => visit.page.locator("#tiles").innerText();

test("space holds the picture still, and lets it go", async (t) => {
  const daemon = await daemonFor(t, { interval: "100ms" });
  const visit = await visitFor(t, daemon.url);
  const pause = visit.page.locator("#pause");
  await visit.takesMoreSamples(3);

  await visit.page.keyboard.press("Space");
  await visit.page.waitForSelector('#pause[aria-pressed="true"]');
  await visit.takesMoreSamples(5);
  const held = await shown(visit);
  await visit.takesMoreSamples(30);
  assert.equal(await shown(visit), held, "the figures stand still while samples come");
  assert.equal((await visit.facts()).state, "live", "recording goes on");
  const behind = visit.page.locator("#behind");
  const seconds = async () => Number(/^paused, (\d+) s behind$/.exec(await behind.innerText())?.[1]);
  const early = await seconds();
  await until("the picture to be farther behind", async () => (await seconds()) > early);

  await visit.page.keyboard.press("Space");
  await visit.page.waitForSelector('#pause[aria-pressed="false"]');
  await until("the figures to move again", async () => (await shown(visit)) !== held);

  // On the focused button, space is the button's own: once, not twice.
  await pause.focus();
  await visit.page.keyboard.press("Space");
  await visit.page.waitForSelector('#pause[aria-pressed="true"]');
  assert.equal(await pause.innerText(), "Resume");

  // One click on what says how far behind it is returns to the present.
  await behind.click();
  await visit.page.waitForSelector('#pause[aria-pressed="false"]');
  await behind.waitFor({ state: "hidden" });
});

test("the theme follows the system until one is chosen, and the choice outlives the page", async (t) => {
  const daemon = await daemonFor(t);
  const visit = await visitFor(t, daemon.url, { colorScheme: "light" });
  const { page } = visit;
  /** The lightness of the page's ground, 0 to 255. */
  const ground = () =>
    page.evaluate(() => Number(/\d+/.exec(getComputedStyle(document.body).backgroundColor)?.[0]));
  assert.ok((await ground()) > 200);
  await page.emulateMedia({ colorScheme: "dark" });
  assert.ok((await ground()) < 50);

  await page.selectOption("#theme", "light");
  assert.ok((await ground()) > 200, "a chosen theme wins over the system's");
  await page.reload();
  await visit.reaches("live");
  assert.equal(await page.inputValue("#theme"), "light");
  assert.ok((await ground()) > 200);

  await page.selectOption("#theme", "auto");
  assert.ok((await ground()) < 50);
});

test("the raw panel shows the last ten messages as they came, and can be held", async (t) => {
  const daemon = await daemonFor(t, { interval: "500ms" });
  const visit = await visitFor(t, daemon.url);
  await visit.holdsSamples(8);
  await visit.page.locator("#raw summary").click();
  const items = () => visit.page.locator("#raw-messages li").allTextContents();

  const [listed, texts] = await until("the last ten messages", async () => {
    const before = visit.stream.texts.length;
    const found = await items();
    const newest = visit.stream.texts.slice(-10).reverse();
    return found.length === 10 && found[0] === newest[0] && visit.stream.texts.length === before && [found, newest];
  });
  assert.deepEqual(
    listed.map((text) => text.slice(0, 2000)),
    texts.map((text) => (text.length > 2000 ? `${text.slice(0, 2000)}… (${text.length} characters)`.slice(0, 2000) : text)),
  );

  await visit.page.locator("#raw-pause").click();
  const held = await items();
  await visit.takesMoreSamples(3);
  assert.deepEqual(await items(), held);
  await visit.page.locator("#raw-pause").click();
  await until("newer messages", async () => (await items())[0] !== held[0]);
});

test("the lines for curl and websocat can be copied, and bring the feed", async (t) => {
  const daemon = await daemonFor(t, { interval: "100ms" });
  const visit = await visitFor(t, daemon.url, { permissions: ["clipboard-read", "clipboard-write"] });
  await visit.page.locator("#raw summary").click();
  const copied = [];
  for (const row of await visit.page.locator("#commands .command").all()) {
    await row.getByRole("button", { name: "Copy" }).click();
    copied.push(await visit.page.evaluate(() => navigator.clipboard.readText()));
    assert.equal(copied[copied.length - 1], await row.locator("code").innerText());
  }
  const [curl, websocat] = copied;
  const feed = start("/bin/sh", ["-c", `exec ${curl}`], { stdio: ["ignore", "pipe", "ignore"] });
  afterwards(t, () => feed.kill("SIGKILL"));
  let text = "";
  feed.stdout?.on("data", (data) => (text += data));
  await until("three lines of the feed", () => text.split("\n").length > 3);
  assert.ok(text.split("\n").slice(0, 3).every((line) => JSON.parse(line).values), text);

  // Not every machine has websocat: what it is told to do is done by the browser.
  const [, subprotocol, url] = /^websocat -U --protocol (\S+) '(\S+)'$/.exec(websocat) ?? [];
  const type = await visit.page.evaluate(
    ([to, wanted]) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(to, wanted);
        socket.onmessage = ({ data }) => (socket.close(), resolve(`${JSON.parse(data).type} in ${socket.protocol}`));
        socket.onerror = reject;
      }),
    [url, subprotocol],
  );
  assert.equal(type, "hello in hostcast.v1.compact");
});

test("no width makes the page scroll sideways, or leaves a tile alone", async (t) => {
  const daemon = await daemonFor(t, { more: `[labels]\nrole = "a-rather-long-name-of-a-role-that-somebody-gave"` });
  const visit = await visitFor(t, daemon.url, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  await visit.page.locator("#raw summary").click();
  for (const width of [320, 360, 768, 1024, 1440, 2560]) {
    await visit.page.setViewportSize({ width, height: 740 });
    await visit.takesMoreSamples(2);
    const wide = await visit.page.evaluate(() => document.documentElement.scrollWidth);
    assert.equal(wide, width, `at ${width} px the page is ${wide} px wide`);
    const rows = await visit.page.evaluate(() => {
      const edge = /** @type {HTMLElement} */ (document.querySelector("#tiles")).getBoundingClientRect().right;
      const boxes = [...document.querySelectorAll(".tile:not([hidden])")].map((tile) => tile.getBoundingClientRect());
      return [...new Set(boxes.map(({ top }) => top))].map((top) => {
        const row = boxes.filter((box) => box.top === top);
        return { tiles: row.length, full: Math.abs(row[row.length - 1].right - edge) <= 1 };
      });
    });
    const told = `at ${width} px: ${JSON.stringify(rows)}`;
    assert.ok(rows.every(({ full }) => full), told);
    assert.ok(width < 640 || rows.every(({ tiles }) => tiles > 1), told);
  }
});

test("the window buttons set how much time the charts show, and are remembered", async (t) => {
  const visit = await visitFor(t, (await grownElder()).url);
  const { page } = visit;
  await visit.chooseWindow("1 min");
  const near = await until("a minute on the chart", async () => {
    const ago = await secondsAgoAt(visit, 0.02);
    return ago <= 62 && ago;
  });
  assert.ok(near >= 55, `the left edge is ${near} s ago`);

  await visit.chooseWindow("All");
  await until("the whole past on the chart", async () => (await secondsAgoAt(visit, 0.01)) > 64);

  await visit.chooseWindow("1 min");
  await page.reload();
  await visit.reaches("live");
  assert.ok(await page.getByRole("radio", { name: "1 min" }).isChecked());
  assert.ok((await secondsAgoAt(visit, 0.02)) <= 62);
});

test("after a reload the past is there at once, also what the window does not show", async (t) => {
  const visit = await visitFor(t, (await grownElder()).url);
  await visit.chooseWindow("1 min");
  const before = await visit.facts();
  assert.ok(before.samples > 620, `${before.samples} samples are more than a minute`);

  // Before the first live sample: all that the page has is history.
  await visit.page.reload();
  await visit.reaches("live");
  const { messages } = visit.stream;
  const live = messages.findIndex(({ type }) => type === "sample");
  const history = messages.slice(0, live < 0 ? undefined : live).filter(({ type }) => type === "history");
  assert.ok(history[history.length - 1]?.complete);
  const count = history.reduce((sum, { samples }) => sum + samples.length, 0);
  assert.ok(count >= before.samples, `${count} samples came as history, ${before.samples} were held before`);
  // The page may still be taking in what the browser has.
  const after = await until(`the page to hold ${count} samples`, async () => {
    const facts = await visit.facts();
    return facts.samples >= count ? facts : undefined;
  });
  assert.equal(after.epoch, before.epoch);
});
