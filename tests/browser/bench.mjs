/**
 * What the dashboard costs a browser:
 *   npm run bench
 * CPU is that of the renderer's process, from /proc; each figure is the median of ROUNDS. The daemon is a simulated
 * host at 10 Hz, and each chart shows 3,600 points in the middle of the measurement. The floor is a page in the same
 * browser that reads the same stream without looking at it, and moves as many canvases of the same size by a pixel, as
 * often: nothing that shows as much can cost less.
 *
 *   HOSTCAST_BENCH_ROUNDS=5       rounds for each figure
 *   HOSTCAST_BENCH_SECONDS=15     that a round lasts
 *   HOSTCAST_BENCH_HELD=360       seconds of the past that the charts show
 *   HOSTCAST_BENCH_HEAP=10        minutes over which the heap is watched
 *   HOSTCAST_BENCH_PARTS=load,few,hidden,many,heap
 */

import { cpus, loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { axeViolations } from "./harness/axe.js";
import { closeBrowser, countDrawings, hide, theBrowser } from "./harness/browser.js";
import { simulatedHost } from "./harness/simulated.js";
import { Watched } from "./harness/watched.js";

const ROUNDS = Number(process.env.HOSTCAST_BENCH_ROUNDS ?? 5);
const SECONDS = Number(process.env.HOSTCAST_BENCH_SECONDS ?? 15);
const HELD_S = Number(process.env.HOSTCAST_BENCH_HELD ?? 360);
const HEAP_MINUTES = Number(process.env.HOSTCAST_BENCH_HEAP ?? 10);
const PARTS = (process.env.HOSTCAST_BENCH_PARTS ?? "load,few,hidden,many,heap").split(",");
/** Two naps of a hidden page: a shorter round would count the waking of none, or of all. */
const NAPS_SECONDS = 60;
const HIDDEN_ROUNDS = Math.min(ROUNDS, 3);
/** Between two looks at the heap. */
const LOOK_MINUTES = 5;
const MIB = 1024 ** 2;

const TWELVE = { cores: 8, folded: "interfaces,temperature", width: 1440, height: 2400 };
const SIXTY = { cores: 200, folded: "temperature", width: 2560, height: 5200 };

/** From here on the machine does so much else that figures are too high: others than these processes want its cores. */
const BUSY_LOAD = 1;

/** @typedef {{ measure: string, goal: string, measured: string, floor: string, met: boolean }} Row */
/** @type {Row[]} */
const table = [];

/** @param {number[]} values */
function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/**
 * @param {string} url
 * @param {typeof TWELVE} scene
 */
function openPage(url, scene) {
  return Watched.open(scene, async (page) => {
    await page.goto(url);
    await page.evaluate((value) => localStorage.setItem("hostcast.folded", value), scene.folded);
    await page.goto(`${url}#span=all`);
    await page.reload();
    await page.waitForFunction(() => document.documentElement.dataset.state === "live");
  });
}

/**
 * What Chromium itself takes for what a page shows and hears.
 * @param {string} url
 * @param {typeof TWELVE} scene
 * @param {Watched} watched
 */
async function openFloor(url, scene, watched) {
  const [sizes, pictureMs] = await watched.touch(async (page) => {
    await page.evaluate(countDrawings);
    await sleep(10_000);
    return page.evaluate(() => {
      const seen = [...document.querySelectorAll("canvas")].map((canvas) => canvas.getBoundingClientRect());
      const sizes = seen.filter(({ width, top }) => width > 0 && top < innerHeight).map(({ width, height }) => [width, height]);
      // A chart is cleared in two pieces, a sparkline in one.
      const pieces = sizes.length + document.querySelectorAll(".plot").length;
      return /** @type {const} */ ([sizes, (10_000 * pieces) / Math.max(1, /** @type {any} */ (window).drawings)]);
    });
  });
  return Watched.open(scene, async (page) => {
    // Of the daemon's own origin, which may read its stream.
    await page.goto(`${url}healthz`);
    await page.evaluate(floor, { sizes, pictureMs });
  });
}

/**
 * In the page.
 * @param {{ sizes: number[][], pictureMs: number }} told
 */
function floor({ sizes, pictureMs }) {
  const contexts = sizes.map(([width, height]) => {
    const canvas = document.body.appendChild(Object.assign(document.createElement("canvas"), { width, height }));
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.fillRect(0, height / 2, width, height / 2);
    return context;
  });
  const move = () => {
    for (const context of contexts) {
      context.drawImage(context.canvas, -1, 0);
      context.fillRect(context.canvas.width - 1, 0, 1, Math.random() * context.canvas.height);
    }
  };
  setInterval(() => !document.hidden && requestAnimationFrame(move), pictureMs);
  const socket = new WebSocket(new URL("api/v1/stream?history=1s", location.href.replace(/^http/, "ws")), "hostcast.v1.compact");
  socket.onmessage = () => {};
}

/**
 * @param {Watched} watched
 * @param {Watched} lowest
 * @param {string} measure
 * @param {number} charts
 * @param {number} goal
 */
async function measureCpu(watched, lowest, measure, charts, goal) {
  const count = () =>
    watched.touch((page) =>
      page.evaluate(() => {
        const plots = [...document.querySelectorAll(".plot")].filter((plot) => plot.checkVisibility({ contentVisibilityAuto: true }));
        const seen = plots.map((plot) => plot.getBoundingClientRect()).filter(({ top, bottom }) => bottom > 0 && top < innerHeight);
        return [seen.length, Number(document.documentElement.dataset.samples)];
      }),
    );
  const [shown, first] = await count();
  if (shown !== charts) {
    throw new Error(`${shown} charts are visible, not ${charts}`);
  }
  const figures = await watched.rounds(ROUNDS, SECONDS);
  const [, last] = await count();
  const middle = median(figures);
  const range = `${Math.min(...figures).toFixed(0)} to ${Math.max(...figures).toFixed(0)}`;
  const points = Math.round((first + last) / 2);
  const told = `${middle.toFixed(0)} ms per second (${range}; ${points} points)`;
  report(measure, `at most ${goal} ms per second`, told, middle <= goal, ofFloor(middle, median(await lowest.rounds(ROUNDS, SECONDS))));
}

/**
 * @param {Watched} watched
 * @param {Watched} lowest
 */
async function measureHidden(watched, lowest) {
  await lowest.touch((page) => page.evaluate(hide, true));
  const drawn = await watched.touch(async (page) => {
    await page.evaluate(hide, true);
    await page.evaluate(countDrawings);
    return page.evaluate(() => /** @type {any} */ (window).drawings);
  });
  await sleep(1000);
  const figures = await watched.rounds(HIDDEN_ROUNDS, NAPS_SECONDS);
  const since = (await watched.touch((page) => page.evaluate(() => /** @type {any} */ (window).drawings))) - drawn;
  await watched.touch((page) => page.evaluate(hide, false));
  const middle = median(figures);
  const told = `${since} drawings; ${middle.toFixed(1)} ms per second (${Math.min(...figures).toFixed(1)} to ${Math.max(...figures).toFixed(1)})`;
  report("hidden tab", "no drawing; under 3 ms per second", told, since === 0 && middle < 3, ofFloor(middle, median(await lowest.rounds(HIDDEN_ROUNDS, NAPS_SECONDS))));
}

/**
 * @param {number} measured
 * @param {number} lowest
 */
function ofFloor(measured, lowest) {
  return `${lowest.toFixed(1)} ms per second; ${(measured / lowest).toFixed(1)} times that`;
}

/**
 * In one go: whoever looks leaves something in the page, a seventh of a MiB each time that he comes anew.
 * @param {Watched} watched
 */
function measureHeap(watched) {
  return watched.touch(async (page) => {
    const session = await page.context().newCDPSession(page);
    const look = async () => {
      await session.send("HeapProfiler.collectGarbage");
      const usage = /** @type {any} */ (await session.send("Runtime.getHeapUsage"));
      return { at: performance.now(), js: usage.usedSize / MIB, arrays: (usage.backingStorageSize ?? 0) / MIB };
    };
    const first = await look();
    const arrays = `${first.arrays.toFixed(1)} MiB of samples in arrays`;
    report("heap after collection, 12 charts", "at most 10 MB", `${first.js.toFixed(1)} MiB, and ${arrays}`, first.js + first.arrays <= 10);
    if (HEAP_MINUTES === 0) {
      return;
    }
    const looks = [first];
    for (let last = first, end = first.at + HEAP_MINUTES * 60_000; last.at < end; ) {
      await sleep(Math.min(LOOK_MINUTES * 60_000, end - performance.now()));
      last = await look();
      looks.push(last);
      console.error(`heap after ${((last.at - first.at) / 60_000).toFixed(0)} min: ${last.js.toFixed(2)} MiB, arrays ${last.arrays.toFixed(1)}`);
    }
    const last = looks[looks.length - 1];
    const slope = slopeOf(looks.map(({ at, js }) => [at / 3_600_000, js]));
    const most = Math.max(...looks.map(({ js }) => js));
    report(
      `slope of the heap over ${HEAP_MINUTES} min`,
      "under 0.2 MB an hour over two hours",
      `${slope.toFixed(2)} MiB an hour by ${looks.length} looks, ${first.js.toFixed(2)} to ${last.js.toFixed(2)}, at most ${most.toFixed(2)}; ` +
        `arrays ${first.arrays.toFixed(1)} to ${last.arrays.toFixed(1)} MiB`,
      slope < 0.2,
    );
  });
}

/**
 * Of the straight line that lies nearest to the points.
 * @param {number[][]} points
 */
function slopeOf(points) {
  const mean = (/** @type {number} */ which) => points.reduce((sum, point) => sum + point[which], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const sum = (/** @type {(point: number[]) => number} */ of) => points.reduce((total, point) => total + of(point), 0);
  return sum(([at, value]) => (at - x) * (value - y)) / sum(([at]) => (at - x) ** 2);
}

/**
 * @param {string} measure
 * @param {string} goal
 * @param {string} measured
 * @param {boolean} met
 * @param {string} [floor]
 */
function report(measure, goal, measured, met, floor = "") {
  table.push({ measure, goal, measured, floor, met });
  console.error(`${measure}: ${measured}${floor && `; floor ${floor}`}`);
}

/** @param {string} url */
async function measureTransfer(url) {
  const context = await (await theBrowser()).newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  let complaints = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  page.on("console", (message) => (complaints += message.type() === "error" ? 1 : 0));
  page.on("pageerror", () => (complaints += 1));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", () => console.error("content security policy"));
  });
  await page.goto(url);
  await sleep(SECONDS * 1000);
  const violations = (await axeViolations(page)).length;
  await context.close();
  report("transfer, gzip, everything", "at most 45 KB", `${(bytes / 1000).toFixed(1)} KB with the heads`, bytes <= 45_000);
  report("axe violations, CSP reports, console errors", "0", `${violations + complaints}`, violations + complaints === 0);
}

/**
 * The floor of the first chart is a page that opens the stream, takes the first piece of the past and paints a canvas.
 * @param {string} url
 */
async function measureLoad(url) {
  /** @type {{ first: number, longest: number }[]} */
  const figures = [];
  /** @type {number[]} */
  const lowest = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    figures.push(await inNewPage(url, noticeFirstChart, SECONDS));
    lowest.push((await inNewPage(`${url}healthz`, paintFirstPiece, 0)).first);
  }
  const first = median(figures.map(({ first }) => first));
  const longest = median(figures.map(({ longest }) => longest));
  const low = median(lowest);
  report("longest task after load", "at most 50 ms", longest > 0 ? `${longest.toFixed(0)} ms` : "none over 50 ms", longest <= 50);
  report("navigation to first chart, loopback", "at most 300 ms", `${first.toFixed(0)} ms`, first <= 300, `${low.toFixed(0)} ms; ${(first / low).toFixed(1)} times that`);
}

/**
 * @param {string} url
 * @param {() => void} probe  in the page, before anything else
 * @param {number} seconds  for which the page is left alone then
 */
async function inNewPage(url, probe, seconds) {
  const context = await (await theBrowser()).newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.addInitScript(probe);
  await page.goto(url);
  await page.waitForFunction(() => /** @type {any} */ (window).first > 0, undefined, { polling: 200 });
  await sleep(seconds * 1000);
  const figures = await page.evaluate(() => /** @type {any} */ ({ first: window.first, longest: window.longest }));
  await context.close();
  return /** @type {{ first: number, longest: number }} */ (figures);
}

/** In the page. Until the chart is filled it does nothing: pictures that only it has asked for would cost time. */
function noticeFirstChart() {
  const told = /** @type {any} */ (window);
  told.longest = 0;
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) {
      // After load: from then on somebody may want to scroll.
      const { loadEventEnd } = /** @type {PerformanceNavigationTiming} */ (performance.getEntriesByType("navigation")[0]);
      told.longest = loadEventEnd > 0 && startTime >= loadEventEnd ? Math.max(told.longest, duration) : told.longest;
    }
  }).observe({ entryTypes: ["longtask"] });
  const look = () => {
    const cell = document.querySelector('[data-testid="chart-cpu"] td');
    if (cell && cell.textContent !== "–") {
      told.first = performance.now();
    } else {
      requestAnimationFrame(look);
    }
  };
  // An area is filled where there is something to show.
  const { fill } = CanvasRenderingContext2D.prototype;
  /** @param {any[]} what */
  CanvasRenderingContext2D.prototype.fill = function (...what) {
    if (!told.filled && this.canvas.closest('[data-testid="chart-cpu"]')) {
      told.filled = true;
      requestAnimationFrame(look);
    }
    fill.apply(this, /** @type {any} */ (what));
  };
}

/** In the page. */
function paintFirstPiece() {
  addEventListener("DOMContentLoaded", () => {
    const socket = new WebSocket(new URL("api/v1/stream?history=1h", location.href.replace(/^http/, "ws")), "hostcast.v1.compact");
    socket.onmessage = ({ data }) => {
      const { samples } = JSON.parse(data);
      if (samples) {
        socket.close();
        const canvas = document.body.appendChild(Object.assign(document.createElement("canvas"), { width: 600, height: 200 }));
        const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
        context.fillText(`${samples.length} samples`, 10, 10);
        context.fillRect(0, 20, 600, 180);
        requestAnimationFrame(() => (/** @type {any} */ (window).first = performance.now()));
      }
    };
  });
}

async function main() {
  const before = loadavg();
  // The charts gain points while they are measured.
  const past = Math.round(HELD_S - (ROUNDS * SECONDS) / 2);
  const settings = { interval: "100ms", more: `[history]\nwindow = "${past}s"` };
  const [few, many] = await Promise.all([TWELVE, SIXTY].map(({ cores }) => simulatedHost(cores, settings)));
  console.error(`collecting ${past} s of the past`);
  await sleep(past * 1000);

  if (PARTS.includes("load")) {
    await measureLoad(few.url);
    await measureTransfer(few.url);
    await closeBrowser();
  }
  const twelve = await openPage(few.url, TWELVE);
  if (PARTS.includes("few") || PARTS.includes("hidden")) {
    const lowTwelve = await openFloor(few.url, TWELVE, twelve);
    if (PARTS.includes("few")) {
      await measureCpu(twelve, lowTwelve, "renderer CPU, 12 visible charts", 12, 60);
    }
    if (PARTS.includes("hidden")) {
      await measureHidden(twelve, lowTwelve);
    }
    await lowTwelve.close();
  }
  if (PARTS.includes("many")) {
    const sixty = await openPage(many.url, SIXTY);
    const lowSixty = await openFloor(many.url, SIXTY, sixty);
    await measureCpu(sixty, lowSixty, "renderer CPU, 60 visible charts", 60, 120);
    await lowSixty.close();
    await sixty.close();
  }
  await many.kill();
  if (PARTS.includes("heap")) {
    await measureHeap(twelve);
  }
  await twelve.close();

  console.log("| measure | goal | measured | floor | met |\n| --- | --- | --- | --- | --- |");
  for (const { measure, goal, measured, floor, met } of table) {
    console.log(`| ${measure} | ${goal} | ${measured} | ${floor} | ${met ? "yes" : "NO"} |`);
  }
  const after = loadavg();
  const busy = Math.max(before[0], ...after) > BUSY_LOAD ? "others worked on this machine, so these figures are too high" : "idle but for this";
  const told = `load average ${before[0].toFixed(1)} before and ${after.map((load) => load.toFixed(1)).join(", ")} after`;
  console.log(`\n${cpus().length} cores of ${cpus()[0].model}, ${told}: ${busy}.`);
}

await main();
process.exit(0);
