/** What charts show and what hands can do to them. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { daemonFor, hostFor, visitFor } from "../harness/scene.js";
import { until } from "../harness/until.js";

/** @typedef {import("../harness/browser.js").Visit} Visit */

/** A page that shows a simulated host with 4 cores, two interfaces and two disks, fast. */
async function scene(/** @type {import("node:test").TestContext} */ t, options = {}, hash = "#span=60000") {
  const host = await hostFor(t, 4, { interval: "100ms" });
  const visit = await visitFor(t, host.url + hash, options);
  await visit.takesMoreSamples(20);
  return { host, visit, page: visit.page };
}

/** @param {Visit} visit */
const zoomOf = (visit) =>
  visit.page.evaluate(() => {
    const said = new URLSearchParams(location.hash.slice(1));
    return said.has("from") ? { from: Number(said.get("from")), to: Number(said.get("to")) } : null;
  });

/** @param {Visit} visit @param {string} id */
async function boxOf(visit, id) {
  const plot = visit.page.locator(`[data-testid="chart-${id}"] .plot`);
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  assert.ok(box);
  return { x: box.x + 62, y: box.y + 20, width: box.width - 72, height: box.height - 40 };
}

test("a click on a tile goes to its chart", async (t) => {
  const { page } = await scene(t, { viewport: { width: 1000, height: 500 } });
  for (const id of ["disk", "temperature", "cpu"]) {
    await page.locator(`[data-testid="tile-${id}"]`).click();
    await until(`the chart ${id} in sight`, () =>
      page.evaluate((testid) => {
        const plot = document.querySelector(`[data-testid="${testid}"] .plot`);
        const box = plot?.getBoundingClientRect();
        return document.activeElement === plot && box && box.top >= 0 && box.bottom <= innerHeight + 1;
      }, `chart-${id}`),
    );
  }
});

test("a section that was folded stays so, and costs no drawing", async (t) => {
  const { visit, page } = await scene(t);
  const summary = page.locator('[data-testid="section-network"] > summary');
  await summary.click();
  await page.reload();
  await visit.reaches("live");
  await page.locator('[data-testid="section-network"]').waitFor({ state: "visible" });
  assert.equal(await page.locator('[data-testid="chart-network"] .plot').isVisible(), false);
  await summary.click();
  await until("the chart to be there again", () => page.locator('[data-testid="chart-network"] .plot').isVisible());
});

test("every chart that this host can fill is there, and the rest is named", async (t) => {
  const { page } = await scene(t);
  const ids = await page.evaluate(() => [...document.querySelectorAll(".card[data-testid^=chart]")].map((card) => card.getAttribute("data-testid")));
  const whole = ["cpu", "cores", "load", "pressure", "memory", "swap", "network", "packets", "network-eth0", "network-eth1"];
  assert.deepEqual(ids, [...whole, "disk", "operations", "disk-nvme0n1", "disk-nvme1n1", "temperature"].map((id) => `chart-${id}`));
  assert.equal(await page.locator('[data-testid="absent"]').isVisible(), false, "nothing is absent");

  // The daemon without its collectors is a host that has none of that.
  const poor = await daemonFor(t, { more: "[collectors]\ntemperature = false\npressure = false\n" });
  const visit = await visitFor(t, poor.url);
  const absent = visit.page.locator('[data-testid="absent"]');
  await absent.waitFor();
  assert.match(await absent.innerText(), /pressure.*temperatures/);
});

test("a chart that was out of sight while the window changed its size is drawn when it comes into sight", async (t) => {
  const host = await hostFor(t, 4);
  const visit = await visitFor(t, host.url, { viewport: { width: 1280, height: 500 } });
  await visit.takesMoreSamples(5);
  const { page } = visit;
  const chart = page.locator('[data-testid="chart-disk"]');
  const isDrawn = () =>
    chart.locator("canvas").evaluate((/** @type {HTMLCanvasElement} */ canvas) => {
      const { data } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).getImageData(0, 0, canvas.width, canvas.height);
      return data.some((channel) => channel > 0);
    });
  await chart.scrollIntoViewIfNeeded();
  await until("the chart is drawn", isDrawn);
  await page.keyboard.press("Space");
  await page.evaluate(() => scrollTo(0, 0));
  for (const width of [900, 1280]) {
    await page.setViewportSize({ width, height: 500 });
    await page.waitForFunction((wanted) => innerWidth === wanted, width);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  }
  await chart.scrollIntoViewIfNeeded();
  await until("the chart is drawn again", isDrawn);
});

test("the crosshair stands at one time in every chart, and every legend tells of it", async (t) => {
  const { visit, page } = await scene(t, { viewport: { width: 1300, height: 1400 } });
  const box = await boxOf(visit, "cpu");
  await page.mouse.move(box.x + box.width - 4, box.y + 40);
  const said = await until("a time on each chart", async () => {
    const times = await page.evaluate(() =>
      ["cpu", "load", "memory"].map((id) => document.querySelector(`[data-testid="chart-${id}"] .card-time`)?.textContent ?? ""),
    );
    return times.every((time) => /^\d\d:\d\d:\d\d/.test(time)) && times;
  });
  assert.equal(new Set(said).size, 1, said.join());
  assert.equal(await page.locator('[data-testid="chart-load"] thead th').nth(1).innerText(), "then");
  assert.equal(await page.locator('[data-testid="chart-load"] .cross').isVisible(), true);
  assert.match((await page.locator('[data-testid="chart-cpu"] .card-time').getAttribute("title")) ?? "", /UTC|GMT|[A-Z]{3,4}$/);
  await page.mouse.move(2, 2);
  await until("the newest values again", async () => (await page.locator('[data-testid="chart-load"] thead th').nth(1).innerText()) === "now");
});

test("times are the viewer's, and the zone is told on hover", async (t) => {
  const { visit, page } = await scene(t, { timezoneId: "Asia/Kolkata", locale: "en-GB" });
  const box = await boxOf(visit, "cpu");
  await page.mouse.move(box.x + box.width - 2, box.y + 40);
  const time = page.locator('[data-testid="chart-cpu"] .card-time');
  const said = await until("a time", () => time.innerText());
  const newest = visit.samples().at(-1).time;
  const there = [0, 1, 2, 3].map((back) => new Date(newest - 1000 * back + 5.5 * 3_600_000).toISOString().slice(11, 19));
  assert.ok(there.includes(said.slice(0, 8)), `${said} is none of ${there}`);
  assert.match((await time.getAttribute("title")) ?? "", /GMT\+5:30|IST/);
  const age = page.locator("#age");
  await age.hover();
  assert.match((await age.getAttribute("title")) ?? "", /^newest sample: .*(GMT\+5:30|IST)/);
});

test("the legend's figures are those of the samples that are visible", async (t) => {
  const { visit, page } = await scene(t);
  await page.keyboard.press("Space");
  const card = page.locator('[data-testid="chart-temperature"]');
  await card.scrollIntoViewIfNeeded();
  await until("figures", async () => /\d/.test(await card.locator("td").first().innerText()));
  const [told, at] = await page.evaluate(() => {
    const row = [...document.querySelectorAll('[data-testid="chart-temperature"] tbody tr')][0];
    return [[...row.querySelectorAll("td")].map((cell) => Number(cell.textContent)), row.querySelector("th")?.textContent];
  });
  assert.equal(at, "package 0");
  const schema = visit.stream.messages.find(({ type }) => type === "schema");
  const column = schema?.series.findIndex((/** @type {any} */ one) => one.id === "hw.temperature{hw.id=package 0,hw.name=package 0}");
  const values = visit.samples().map(({ values }) => values[column]);
  // The legend is written now and then, so that a person can read it: some sample since was its newest.
  const fits = values.some((now, last) => {
    const seen = values.slice(0, last + 1);
    const mean = seen.reduce((sum, value) => sum + value, 0) / seen.length;
    const wanted = [now, Math.min(...seen), mean, Math.max(...seen)];
    return wanted.every((value, kind) => Math.abs(value - told[kind]) < 0.06);
  });
  assert.ok(fits, `${told} are the figures of no part of ${values}`);
});

test("a click on a series hides it, another shows it again", async (t) => {
  const { page } = await scene(t);
  const button = page.locator('[data-testid="chart-load"] .legend-button').first();
  const blue = () => inkOf(page, "load", "chart-blue");
  await until("the line", async () => (await blue()) > 30);
  await button.click();
  await until("the line to go", async () => (await blue()) === 0);
  assert.equal(await button.getAttribute("aria-pressed"), "false");
  assert.match(page.url(), /off=load%3A1\+min/);
  await button.click();
  await until("the line to be back", async () => (await blue()) > 30);
});

/**
 * How many pixels of a chart have a colour.
 * @param {import("playwright-core").Page} page
 * @param {string} id
 * @param {string} token
 */
function inkOf(page, id, token) {
  return page.evaluate(
    ([testid, name]) => {
      const probe = document.createElement("span");
      probe.style.color = `var(--${name})`;
      document.body.append(probe);
      const wanted = (getComputedStyle(probe).color.match(/\d+/g) ?? []).map(Number);
      probe.remove();
      const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector(`[data-testid="${testid}"] canvas`));
      const image = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      let found = 0;
      for (let at = 0; at < image.length; at += 4) {
        found += wanted.every((value, channel) => Math.abs(image[at + channel] - value) < 6) && image[at + 3] > 200 ? 1 : 0;
      }
      return found;
    },
    [`chart-${id}`, token],
  );
}

test("dragging zooms every chart, a double click goes back to live", async (t) => {
  const { visit, page } = await scene(t);
  const box = await boxOf(visit, "cpu");
  await page.mouse.move(box.x + box.width * 0.5, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.75, box.y + 40, { steps: 4 });
  assert.equal(await page.locator('[data-testid="chart-cpu"] .selection').isVisible(), true);
  await page.mouse.up();
  const zoom = await until("a zoom", () => zoomOf(visit));
  assert.ok(Math.abs(zoom.to - zoom.from - 15_000) < 1500, `a quarter of a minute, not ${zoom.to - zoom.from} ms`);
  await until("the chip", async () => /^paused, \d+ s behind/.test(await page.locator("#behind").innerText()));
  const [one, other] = [await edges(visit, "cpu"), await edges(visit, "load")];
  const apart = one.map((time, at) => Math.abs(secondsOf(time) - secondsOf(other[at])));
  assert.ok(apart.every((seconds) => seconds <= 1), `all charts show the same time: ${one} and ${other}`);

  await page.mouse.dblclick(box.x + 50, box.y + 30);
  await until("the present", async () => (await zoomOf(visit)) === null);
  await page.locator("#behind").waitFor({ state: "hidden" });
});

/** @param {string} time  as HH:MM:SS */
function secondsOf(time) {
  const [hours, minutes, seconds] = time.split(":").map(Number);
  return hours * 3600 + minutes * 60 + seconds;
}

/** What the crosshair says at both edges of a chart. */
async function edges(/** @type {Visit} */ visit, /** @type {string} */ id) {
  const box = await boxOf(visit, id);
  const told = [];
  for (const x of [box.x + 1, box.x + box.width - 1]) {
    await visit.page.mouse.move(x, box.y + 30);
    // The crosshair follows with the next picture.
    await visit.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(undefined)))));
    told.push(
      await until("a time", async () => {
        const text = await visit.page.locator(`[data-testid="chart-${id}"] .card-time`).innerText();
        return text.slice(0, 8);
      }),
    );
  }
  return told;
}

test("the wheel scrolls the page, and zooms with shift or on a chart that was clicked", async (t) => {
  const { visit, page } = await scene(t);
  const box = await boxOf(visit, "cpu");
  await page.evaluate(() => scrollTo(0, 0));
  const at = await boxOf(visit, "cpu");
  await page.mouse.move(at.x + 100, at.y + 30);
  await page.mouse.wheel(0, 120);
  await until("the page to scroll", () => page.evaluate(() => scrollY > 0));
  assert.equal(await zoomOf(visit), null, "nothing was zoomed");

  await page.evaluate(() => scrollTo(0, 0));
  await page.mouse.move(at.x + 100, at.y + 30);
  await page.keyboard.down("Shift");
  await page.mouse.wheel(0, -240);
  await page.keyboard.up("Shift");
  const shifted = await until("a zoom", () => zoomOf(visit));
  assert.ok(shifted.to - shifted.from < 55_000);
  await page.mouse.click(at.x + 100, at.y + 30);
  await page.mouse.wheel(0, 240);
  await until("more to be shown", async () => {
    const zoom = await zoomOf(visit);
    return zoom && zoom.to - zoom.from > shifted.to - shifted.from + 1000;
  });
  assert.equal(await page.evaluate(() => scrollY), 0);
  assert.ok(box.width > 0);
});

test("fingers: two pinch, one pans, and up and down is the page's", async (t) => {
  const { visit, page } = await scene(t, { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
  const box = await boxOf(visit, "cpu");
  const session = await page.context().newCDPSession(page);
  /** @param {string} type @param {{ x: number, y: number }[]} points */
  const touch = (type, points) =>
    session.send("Input.dispatchTouchEvent", { type: /** @type {any} */ (type), touchPoints: points.map((point, id) => ({ ...point, id })) });
  const y = box.y + 60;
  const middle = box.x + box.width / 2;
  await touch("touchStart", [{ x: middle - 20, y }, { x: middle + 20, y }]);
  for (const spread of [30, 45, 60, 80]) {
    await touch("touchMove", [{ x: middle - spread, y }, { x: middle + spread, y }]);
  }
  await touch("touchEnd", []);
  const pinched = await until("a zoom", () => zoomOf(visit));
  assert.ok(pinched.to - pinched.from < 40_000, `${pinched.to - pinched.from} ms`);

  await touch("touchStart", [{ x: middle, y }]);
  for (const by of [10, 30, 60]) {
    await touch("touchMove", [{ x: middle + by, y }]);
  }
  await touch("touchEnd", []);
  await until("the past to come in from the left", async () => ((await zoomOf(visit))?.to ?? Infinity) < pinched.to - 500);

  const before = await page.evaluate(() => scrollY);
  const zoomed = await zoomOf(visit);
  await touch("touchStart", [{ x: middle, y: y + 60 }]);
  for (const by of [20, 60, 120, 200]) {
    await touch("touchMove", [{ x: middle, y: y + 60 - by }]);
  }
  await touch("touchEnd", []);
  await until("the page to scroll", async () => (await page.evaluate(() => scrollY)) > before + 50);
  assert.deepEqual(await zoomOf(visit), zoomed, "the charts stay where they are");
});

test("a link shows the same to somebody else", async (t) => {
  const { host, visit, page } = await scene(t, { permissions: ["clipboard-read", "clipboard-write"] });
  const box = await boxOf(visit, "cpu");
  await page.mouse.move(box.x + box.width * 0.7, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + 30, { steps: 3 });
  await page.mouse.up();
  await page.locator('[data-testid="chart-load"] .legend-button').nth(1).click();
  await page.locator("#link").click();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  assert.ok(link.startsWith(host.url));

  const other = await visitFor(t, link);
  assert.deepEqual(await zoomOf(other), await zoomOf(visit));
  assert.deepEqual(await edges(other, "memory"), await edges(visit, "memory"));
  assert.equal(await other.page.locator('[data-testid="chart-load"] .legend-button').nth(1).getAttribute("aria-pressed"), "false");
});

test("cores are a heat map, at 4 as at 256, and lines on demand", async (t) => {
  for (const cores of [4, 256]) {
    const host = await hostFor(t, cores, { interval: "250ms" });
    const visit = await visitFor(t, `${host.url}#span=60000`, { viewport: { width: 1300, height: 1000 } });
    await visit.takesMoreSamples(8);
    const card = visit.page.locator('[data-testid="chart-cores"]');
    assert.match(await card.locator("tbody tr").first().innerText(), /busiest\s*core \d+ · \d/);
    assert.match(await card.locator("tbody tr").nth(3).innerText(), new RegExp(`\\d+ of ${cores}$`));
    // Cells of many shades, where lines would leave the ground to be seen.
    const shades = await until("shades", async () => {
      const count = await visit.page.evaluate(() => {
        const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector('[data-testid="chart-cores"] canvas'));
        const at = canvas.width - 14;
        const image = canvas.getContext("2d")?.getImageData(at, 10, 1, canvas.height - 34).data ?? [];
        return new Set(new Uint32Array(new Uint8ClampedArray(image).buffer)).size;
      });
      return count >= 4 && count;
    });
    assert.ok(cores === 4 || shades > 12, `${shades} shades of ${cores} cores`);
    await card.hover();
    await card.getByRole("button", { name: "Lines" }).click();
    await until("a row for each core", async () => (await card.locator("tbody tr").count()) === cores);
  }
});

test("network is in bits or in bytes at a click", async (t) => {
  const { page } = await scene(t);
  const tile = () => page.locator('[data-testid="tile-network"] .tile-unit').innerText();
  await until("bits", async () => /bit\/s$/.test(await tile()));
  await page.locator("#unit").click();
  await until("bytes", async () => /B\/s$/.test(await tile()));
  await page.locator('[data-testid="chart-network"]').scrollIntoViewIfNeeded();
  await until("bytes in the legend", async () => (await page.locator('[data-testid="chart-network"] thead th').first().innerText()) === "B/s");
  await page.reload();
  await until("bytes after a reload", async () => /B\/s$/.test(await tile()));
});

test("what is visible is saved as CSV and as a picture", async (t) => {
  const { visit, page } = await scene(t);
  const card = page.locator('[data-testid="chart-load"]');
  await card.hover();
  const [csv] = await Promise.all([page.waitForEvent("download"), card.getByRole("button", { name: "CSV" }).click()]);
  assert.equal(csv.suggestedFilename(), "simulated-host-load.csv");
  const lines = readFileSync(await csv.path(), "utf8").trimEnd().split("\r\n");
  assert.equal(lines[0], "time,1 min ({thread}),5 min ({thread}),15 min ({thread})");
  const schema = visit.stream.messages.find(({ type }) => type === "schema");
  const column = schema?.series.findIndex((/** @type {any} */ one) => one.id === "system.cpu.load_average.1m");
  const sent = new Map(visit.samples().map(({ time, values }) => [time, values[column]]));
  assert.ok(lines.length > 10);
  for (const line of lines.slice(1)) {
    const [time, value] = line.split(",");
    assert.equal(Number(value), sent.get(Date.parse(time)), line);
  }
  const [png] = await Promise.all([page.waitForEvent("download"), card.getByRole("button", { name: "PNG" }).click()]);
  assert.equal(png.suggestedFilename(), "simulated-host-load.png");
  const picture = readFileSync(await png.path());
  assert.equal(picture.subarray(1, 4).toString(), "PNG");
  assert.ok(picture.readUInt32BE(16) > 300 && picture.length > 3000);
});

test("a file has a value of a slow series where it was read, and nothing in between", async (t) => {
  const daemon = await daemonFor(t, { more: `[collectors]\nmemory = { every = "1s" }\n` });
  const visit = await visitFor(t, daemon.url);
  await visit.takesMoreSamples(16);
  const { page } = visit;
  const card = page.locator('[data-testid="chart-memory"]');
  await card.scrollIntoViewIfNeeded();
  await card.hover();
  const [csv] = await Promise.all([page.waitForEvent("download"), card.getByRole("button", { name: "CSV" }).click()]);
  const schema = visit.stream.messages.find(({ type }) => type === "schema");
  const column = schema?.series.findIndex((/** @type {any} */ one) => one.id === "system.memory.usage{system.memory.state=used}");
  const sent = new Map(visit.samples().map(({ time, values }) => [time, values[column]]));
  const lines = readFileSync(await csv.path(), "utf8").trimEnd().split("\r\n").slice(1).map((line) => line.split(","));
  assert.deepEqual(lines.map(([time, used]) => used), lines.map(([time]) => String(sent.get(Date.parse(time)) ?? "")));
  assert.ok(lines.filter(([, used]) => used === "").length >= lines.length / 2, "most ticks bring no reading");
  assert.ok(lines.some(([, used]) => Number(used) > 2 ** 24), "and each is to the byte");
});
