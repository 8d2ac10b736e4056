/** That everyone can use the page, on every screen, by every hand, and in every place that it may be shown in. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import http from "node:http";
import test from "node:test";
import { axeViolations } from "../harness/axe.js";
import { Visit } from "../harness/browser.js";
import { afterwards, daemonFor, hostFor, visitFor } from "../harness/scene.js";
import { until } from "../harness/until.js";
import { freePort } from "../harness/webserver.js";

test("axe finds nothing, light or dark, wide or narrow, with everything open", async (t) => {
  const host = await hostFor(t, 4, { interval: "250ms", more: "[labels]\nsite = \"fra1\"\n" });
  for (const [colorScheme, width] of /** @type {const} */ ([["light", 1280], ["dark", 360]])) {
    const visit = await visitFor(t, host.url, { colorScheme, viewport: { width, height: 800 } });
    await visit.page.locator("#raw summary").click();
    await visit.takesMoreSamples(6);
    assert.deepEqual(await axeViolations(visit.page), []);
    await visit.page.locator("#pause").click();
    await visit.page.locator("#behind").waitFor({ state: "visible" });
    assert.deepEqual(await axeViolations(visit.page), [], "paused");
    for (const [opener, dialog] of [["#open-help", "#help"], ["#open-drawer", "#drawer"]]) {
      await visit.page.locator(opener).click();
      await until("the dialog's text", async () => (await visit.page.locator(dialog).innerText()).length > 100);
      assert.deepEqual(await axeViolations(visit.page), [], dialog);
      await visit.page.keyboard.press("Escape");
    }
    await visit.close();
  }
});

test("everything can be done by keyboard, and ? lists how", async (t) => {
  const host = await hostFor(t, 4, { interval: "100ms" });
  const visit = await visitFor(t, host.url, { permissions: ["clipboard-read", "clipboard-write"] });
  const { page } = visit;
  await visit.takesMoreSamples(30);
  const { keyboard } = page;
  await keyboard.press("?");
  const listed = await page.locator("#help dt").allInnerTexts();
  for (const key of ["space", "l", "1 to 5", "b", "c", "s", "t", "r", "?", "+ -"]) {
    assert.ok(listed.includes(key), `${key} is not in ${listed}`);
  }
  await keyboard.press("Escape");
  for (const [at, name] of ["1 min", "5 min", "15 min", "60 min", "All"].entries()) {
    await keyboard.press(String(at + 1));
    assert.ok(await page.getByRole("radio", { name, exact: true }).isChecked(), name);
  }
  await keyboard.press("b");
  assert.equal(await page.locator("#unit").innerText(), "B/s");
  await keyboard.press("t");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");
  await keyboard.press("r");
  assert.ok(await page.evaluate(() => /** @type {HTMLDetailsElement} */ (document.getElementById("raw")).open));
  await keyboard.press("s");
  assert.ok(await page.locator("#drawer").isVisible());
  await keyboard.press("Escape");
  await keyboard.press("c");
  await until("a link", async () => (await page.evaluate(() => navigator.clipboard.readText())).startsWith(host.url));

  await keyboard.press("1");
  await page.locator('[data-testid="chart-cpu"] .plot').focus();
  const time = page.locator('[data-testid="chart-cpu"] .card-time');
  await keyboard.press("ArrowLeft");
  const first = await until("a crosshair", () => time.innerText());
  await keyboard.press("ArrowLeft");
  await until("it to move", async () => (await time.innerText()) !== first);
  await keyboard.press("+");
  await until("a zoom", () => page.url().includes("from="));
  const zoomed = page.url();
  await keyboard.press("Shift+ArrowLeft");
  await until("another time", () => page.url() !== zoomed);
  await keyboard.press("l");
  await until("the present", () => !page.url().includes("from="));
  // Each chart can be reached by tab alone.
  await page.locator('[data-testid="tile-cpu"]').focus();
  const reached = new Set();
  for (let presses = 0; presses < 140 && reached.size < 15; presses += 1) {
    await keyboard.press("Tab");
    const id = await page.evaluate(() => document.activeElement?.matches(".plot") && document.activeElement.closest(".card")?.getAttribute("data-testid"));
    if (id) {
      reached.add(id);
    }
  }
  assert.equal(reached.size, 15, [...reached].join());
});

test("a picture has its words: each chart is described by a table of what is visible", async (t) => {
  const host = await hostFor(t, 4, { interval: "250ms" });
  const visit = await visitFor(t, host.url);
  await visit.takesMoreSamples(6);
  const told = await visit.page.evaluate(() => {
    const plot = /** @type {Element} */ (document.querySelector('[data-testid="chart-memory"] .plot'));
    const table = document.getElementById(plot.getAttribute("aria-describedby") ?? "")?.querySelector("table");
    return {
      role: plot.getAttribute("role"),
      name: document.getElementById(plot.getAttribute("aria-labelledby") ?? "")?.textContent,
      caption: table?.caption?.textContent,
      rows: [...(table?.tBodies[0].rows ?? [])].map((row) => row.cells[0].textContent),
      heads: [...(table?.tHead?.rows[0].cells ?? [])].slice(1).map((cell) => cell.textContent),
    };
  });
  assert.deepEqual(told, {
    role: "img",
    name: "Memory",
    caption: "Memory: what is visible",
    rows: ["available", "free", "cached", "buffers", "used"],
    heads: ["now", "min", "mean", "max"],
  });
});

test("what is announced are changes of the connection, and nothing else", async (t) => {
  const daemon = await daemonFor(t, { interval: "100ms" });
  const visit = await visitFor(t, daemon.url);
  await visit.page.evaluate(() => {
    const told = /** @type {any} */ (window);
    told.said = [];
    const live = document.querySelectorAll('[role="status"], [role="alert"], [aria-live]:not([aria-live="off"])');
    live.forEach((region) => new MutationObserver(() => told.said.push(region.textContent)).observe(region, { childList: true, characterData: true, subtree: true }));
  });
  await visit.takesMoreSamples(20);
  assert.deepEqual(await visit.page.evaluate(() => /** @type {any} */ (window).said), []);
  visit.expectOutage();
  await daemon.kill();
  await visit.reaches("reconnecting");
  await until("the announcement", async () => (await visit.page.evaluate(() => /** @type {any} */ (window).said)).join() === "Connection: reconnecting");
});

test("for fingers everything is 44 pixels tall, on a screen 360 wide", async (t) => {
  const host = await hostFor(t, 4, { interval: "250ms" });
  const visit = await visitFor(t, host.url, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  await visit.page.locator("#raw summary").click();
  await visit.takesMoreSamples(4);
  const small = await visit.page.evaluate(() =>
    [...document.querySelectorAll("button, select, summary, .segmented label")]
      .filter((control) => control.checkVisibility())
      .map((control) => ({ name: control.id || control.textContent, height: control.getBoundingClientRect().height }))
      .filter(({ height }) => height < 43.5),
  );
  assert.deepEqual(small, []);
  assert.equal(await visit.page.evaluate(() => document.documentElement.scrollWidth), 360);
});

test("?kiosk has nothing to press, and ?chart=cpu is that chart alone", async (t) => {
  const host = await hostFor(t, 4, { interval: "250ms" });
  const kiosk = await visitFor(t, `${host.url}?kiosk`);
  assert.equal(await kiosk.page.locator(".controls").isVisible(), false);
  assert.equal(await kiosk.page.locator("#raw").isVisible(), false);
  assert.ok(await kiosk.page.locator('[data-testid="chart-cpu"] .plot').isVisible());
  assert.ok(await kiosk.page.locator("#state").isVisible(), "whether it is live can still be seen");

  const alone = await visitFor(t, `${host.url}?chart=memory`, { viewport: { width: 640, height: 320 } });
  await alone.takesMoreSamples(2);
  const seen = await alone.page.evaluate(() => [...document.querySelectorAll(".card")].filter((card) => card.checkVisibility()).map((card) => card.getAttribute("data-testid")));
  assert.deepEqual(seen, ["chart-memory"]);
  assert.equal(await alone.page.locator(".masthead").isVisible(), false);
  const [wide, high] = await alone.page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]);
  assert.ok(wide <= 640 && high <= 321, `${wide} × ${high}`);
});

/**
 * A page of somebody else that shows one in a frame.
 * @param {import("node:test").TestContext} t
 * @param {() => string} framed
 */
async function wikiFor(t, framed) {
  const wiki = http.createServer((_, answer) => {
    answer.setHeader("content-type", "text/html");
    answer.end(`<!doctype html><title>wiki</title><iframe width=600 height=300 src="${framed()}"></iframe>`);
  });
  await new Promise((resolve) => wiki.listen(0, "127.0.0.1", () => resolve(undefined)));
  afterwards(t, () => wiki.closeAllConnections());
  afterwards(t, () => wiki.close());
  return `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (wiki.address()).port}`;
}

test("another page may show a chart in a frame only where the configuration says so", async (t) => {
  let framed = "";
  const origin = await wikiFor(t, () => framed);
  for (const allowed of [false, true]) {
    const more = allowed ? `[dashboard]\nframe_ancestors = ["${origin}"]\n` : "";
    const daemon = await daemonFor(t, { more });
    framed = `${daemon.url}?chart=cpu`;
    const visit = await Visit.open(`${origin}/`);
    visit.expectForeign();
    const frame = visit.page.frameLocator("iframe");
    if (allowed) {
      await frame.locator('[data-testid="chart-cpu"] .plot').waitFor({ state: "visible" });
    } else {
      await until("the browser's refusal", () => visit.takeComplaints().some((complaint) => /frame-ancestors|X-Frame-Options/i.test(complaint)));
      assert.equal(await frame.locator(".plot").count(), 0);
    }
    visit.takeComplaints();
    await visit.close();
  }
});

test("several hosts: a row each, a click shows that one; with one host nothing of it shows", async (t) => {
  // Each has to know where the other will be.
  const port = await freePort();
  const other = await hostFor(t, 4, { interval: "250ms", more: `allowed_origins = ["http://127.0.0.1:${port}"]\n` });
  const home = await daemonFor(t, { port, more: `[dashboard]\nhosts = ["${other.url}"]\n` });
  const visit = await visitFor(t, home.url);
  visit.expectForeign(new URL(other.url).origin);
  const rows = visit.page.locator(".host-row");
  await until("both hosts live", async () => (await visit.page.locator('.host-row[data-state="live"]').count()) === 2);
  assert.equal(await rows.count(), 2);
  await until("figures of the other", async () => /simulated-host[\s\S]*Live[\s\S]*CPU \d[\s\S]*memory \d[\s\S]*load \d[\s\S]*network \d/.test(await rows.nth(1).innerText()));
  assert.equal(await rows.nth(0).getAttribute("aria-current"), "true");
  await rows.nth(1).click();
  await until("the other's name", async () => (await visit.page.locator("#host-name").innerText()) === "simulated-host");
  await until("the other's charts", () => visit.page.locator('[data-testid="chart-temperature"]').count());
  await until("its row to be the current one", async () => (await rows.nth(1).getAttribute("aria-current")) === "true");

  visit.expectOutage();
  await other.kill();
  await until("its row to say so", async () => /Reconnecting/.test(await rows.nth(1).innerText()));
  assert.match(await rows.nth(0).innerText(), /Live/, "the others go on");

  // A link leads to none but those.
  const alone = await visitFor(t, `${(await daemonFor(t)).url}#span=60000&host=${encodeURIComponent(other.url)}`);
  assert.equal(await alone.page.locator("#hosts").isVisible(), false);
  assert.equal(alone.streams.length, 1);
});

test("the drawer tells of the daemon itself: its cost, who listens, what was lost, and the configuration", async (t) => {
  const daemon = await daemonFor(t, { interval: "100ms", more: `[labels]\nsite = "fra1"\n` });
  const visit = await visitFor(t, daemon.url);
  await visit.page.locator("#open-drawer").click();
  const told = await until("the status", async () => {
    const text = await visit.page.locator("#drawer").innerText();
    return /Configuration in force/.test(text) && text;
  });
  for (const wanted of [/Memory\s+[\d.]+ MiB/, /Subscribers\s+1\b/, /Missed, held up\s+\d/, /Dropped for slow ones\s+0/, /\bcpu\b[\s\S]*\bms\b/, /interval = "100ms"/, /"site" = "fra1"/]) {
    assert.match(told, wanted);
  }
  const ticks = async () => Number(/Ticks\s+([\d,]+)/.exec(await visit.page.locator("#drawer").innerText())?.[1].replace(",", ""));
  const before = await ticks();
  await until("the figures to go on", async () => (await ticks()) > before);
  visit.expectOutage();
  await daemon.kill();
  await until("the truth about a daemon that is gone", async () => /No status/.test(await visit.page.locator("#drawer").innerText()));
});

const CAN_HIDE_FILES = spawnSync("unshare", ["--mount", "true"]).status === 0;

test("a collector that fails is named in the drawer, with the reason", { skip: !CAN_HIDE_FILES && "needs root" }, async (t) => {
  // In a mount namespace of its own the daemon finds an empty file where the kernel's should be.
  const wrap = ["unshare", "--mount", "/bin/sh", "-c", 'mount --bind /dev/null /proc/loadavg && exec "$@"', "sh"];
  const daemon = await daemonFor(t, { wrap });
  const visit = await visitFor(t, daemon.url);
  await visit.page.locator("#open-drawer").click();
  const failed = visit.page.locator(".collector-failed");
  await failed.waitFor();
  assert.match(await failed.innerText(), /^load\s+failed · .*loadavg/);
  assert.deepEqual(await axeViolations(visit.page), []);
  await visit.page.keyboard.press("Escape");
  const absent = visit.page.locator('[data-testid="absent"]');
  await absent.waitFor();
  assert.match(await absent.innerText(), /load/, "and its chart is said to be absent");
});

test("on paper every chart is drawn, light and in its own size, with nothing to press; then the screen is as it was", async (t) => {
  const host = await hostFor(t, 4, { interval: "250ms" });
  const visit = await visitFor(t, host.url, { viewport: { width: 1300, height: 400 }, colorScheme: "dark" });
  const { page } = visit;
  await visit.takesMoreSamples(8);
  await page.evaluate(() => {
    const told = /** @type {any} */ (window);
    told.look = () => {
      const canvases = /** @type {HTMLCanvasElement[]} */ ([...document.querySelectorAll(".plot canvas")]);
      const drawn = canvases.filter((canvas) => {
        const image = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
        return image.some((value) => value > 0);
      });
      const inItsSize = (/** @type {HTMLCanvasElement} */ { width, clientWidth }) => Math.abs(width / devicePixelRatio - clientWidth) <= 1;
      return {
        charts: canvases.length,
        drawn: drawn.length,
        inItsSize: drawn.filter((canvas) => inItsSize(canvas)).length,
        isLight: Number(/\d+/.exec(getComputedStyle(document.body).color)?.[0]) < 100,
        width: document.querySelector("main")?.clientWidth,
        time: document.getElementById("paper-time")?.textContent,
      };
    };
    // The page's own listener came first.
    addEventListener("beforeprint", () => (told.paper = told.look()));
  });
  const look = () => page.evaluate(() => /** @type {any} */ (window).look());
  const before = await look();
  assert.ok(before.drawn < before.charts - 3, "what is out of sight is not drawn");
  assert.equal(before.isLight, false);

  const pdf = await page.pdf({ format: "A4" });
  assert.ok(pdf.length > 20_000 && pdf.subarray(0, 4).toString() === "%PDF");
  const paper = await page.evaluate(() => /** @type {any} */ (window).paper);
  assert.ok(paper.charts >= 15);
  assert.deepEqual(paper, { ...paper, drawn: paper.charts, inItsSize: paper.charts, isLight: true, width: 700 });
  assert.match(paper.time, /^.*\d\d:\d\d.* to .*\d\d:\d\d/);

  await page.emulateMedia({ media: "print" });
  const left = await page.locator("button:visible, select:visible, input:visible").evaluateAll((all) => all.map(({ className }) => className));
  // Tiles and the entries of legends are text as well.
  assert.deepEqual(left.filter((name) => !["tile", "legend-button"].includes(name)), []);
  await page.emulateMedia({ media: "screen" });
  const after = await look();
  assert.deepEqual([after.isLight, after.width, after.time], [false, before.width, ""]);
  for (const id of ["cpu", "temperature"]) {
    const canvas = page.locator(`[data-testid="chart-${id}"] canvas`);
    await canvas.scrollIntoViewIfNeeded();
    await until(`${id} in the size of the screen`, () =>
      canvas.evaluate((/** @type {HTMLCanvasElement} */ one) => Math.abs(one.width / devicePixelRatio - one.clientWidth) <= 1),
    );
  }
});
