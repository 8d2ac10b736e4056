/**
 * What the dashboard costs a browser:
 *   npm run bench
 * CPU is that of the renderer's process, from /proc; each figure is the median of ROUNDS. The daemon is a simulated
 * host at 10 Hz, and each chart shows 3,600 points.
 *
 *   HOSTCAST_BENCH_ROUNDS=5       rounds for each figure
 *   HOSTCAST_BENCH_SECONDS=15     that a round lasts
 *   HOSTCAST_BENCH_HELD=360       seconds of the past that the charts show
 *   HOSTCAST_BENCH_HEAP=10        minutes over which the heap is watched
 */

import { readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { axeViolations } from "./harness/axe.js";
import { closeBrowser, theBrowser, Visit } from "./harness/browser.js";
import { simulatedHost } from "./harness/simulated.js";

const ROUNDS = Number(process.env.HOSTCAST_BENCH_ROUNDS ?? 5);
const SECONDS = Number(process.env.HOSTCAST_BENCH_SECONDS ?? 15);
const HELD_S = Number(process.env.HOSTCAST_BENCH_HELD ?? 360);
const HEAP_MINUTES = Number(process.env.HOSTCAST_BENCH_HEAP ?? 10);
/** Of `/proc/PID/stat`: the kernel counts CPU time in these. */
const TICKS_PER_SECOND = 100;
const MIB = 1024 ** 2;

const TWELVE = { cores: 8, folded: "interfaces,temperature", width: 1440, height: 2400 };
const SIXTY = { cores: 200, folded: "temperature", width: 2560, height: 5200 };

/** @typedef {{ measure: string, goal: string, measured: string, met: boolean }} Row */
/** @type {Row[]} */
const table = [];

const [few, many] = await Promise.all([TWELVE, SIXTY].map(({ cores }) => simulatedHost(cores, { interval: "100ms" })));
console.error(`collecting ${HELD_S} s of the past`);
await sleep(HELD_S * 1000);

await measureLoad();
const twelve = await opened(few.url, TWELVE);
await measureCpu(twelve, "renderer CPU, 12 visible charts", 12, 60);
await measureHidden(twelve);
await measureHeap(twelve);
await twelve.close();
const sixty = await opened(many.url, SIXTY);
await measureCpu(sixty, "renderer CPU, 60 visible charts", 60, 120);
await sixty.close();

console.log("| measure | goal | measured | met |\n| --- | --- | --- | --- |");
for (const { measure, goal, measured, met } of table) {
  console.log(`| ${measure} | ${goal} | ${measured} | ${met ? "yes" : "NO"} |`);
}
console.log(`\n${cpus().length} cores of ${cpus()[0].model}, load average ${loadavg().map((load) => load.toFixed(1)).join(" ")}.`);
await closeBrowser();
process.exit(0);

/** @param {number} ms */
function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** @param {number[]} values */
function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/**
 * @param {string} url
 * @param {{ folded: string, width: number, height: number }} scene
 */
async function opened(url, { folded, width, height }) {
  const visit = await Visit.open(`${url}#span=all`, {
    viewport: { width, height },
    storageState: { cookies: [], origins: [{ origin: new URL(url).origin, localStorage: [{ name: "hostcast.folded", value: folded }] }] },
  });
  await visit.reaches("live");
  await sleep(3000);
  return visit;
}

/** @param {Visit} visit */
async function rendererOf(visit) {
  // Each visit has a context of its own, so its renderer is the youngest.
  const session = await (await theBrowser()).newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const known = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
  await visit.page.evaluate(() => {
    const end = performance.now() + 300;
    while (performance.now() < end);
  });
  const before = new Map(known.map((pid) => [pid, cpuMs(pid)]));
  await visit.page.evaluate(() => {
    const end = performance.now() + 700;
    while (performance.now() < end);
  });
  return known.toSorted((a, b) => cpuMs(b) - (before.get(b) ?? 0) - (cpuMs(a) - (before.get(a) ?? 0)))[0];
}

/** @param {number} pid */
function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /, "").split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/**
 * Milliseconds of CPU a second, one figure a round.
 * @param {number} pid
 */
async function rounds(pid) {
  const figures = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const [from, at] = [cpuMs(pid), performance.now()];
    await sleep(SECONDS * 1000);
    figures.push(((cpuMs(pid) - from) / (performance.now() - at)) * 1000);
  }
  return figures;
}

/**
 * @param {Visit} visit
 * @param {string} measure
 * @param {number} charts
 * @param {number} goal
 */
async function measureCpu(visit, measure, charts, goal) {
  const shown = await visit.page.evaluate(() => {
    const plots = [...document.querySelectorAll(".plot")].filter((plot) => plot.checkVisibility({ contentVisibilityAuto: true }));
    const seen = plots.map((plot) => plot.getBoundingClientRect());
    return seen.filter(({ width, top, bottom }) => width > 0 && bottom > 0 && top < innerHeight).length;
  });
  const { samples } = await visit.facts();
  if (shown !== charts) {
    throw new Error(`${shown} charts are visible, not ${charts}`);
  }
  const figures = await rounds(await rendererOf(visit));
  const range = `${Math.min(...figures).toFixed(0)} to ${Math.max(...figures).toFixed(0)}`;
  const middle = median(figures);
  table.push({
    measure,
    goal: `at most ${goal} ms per second`,
    measured: `${middle.toFixed(0)} ms per second (${range}; ${samples} points)`,
    met: middle <= goal,
  });
  console.error(table[table.length - 1].measured);
}

/** @param {Visit} visit */
async function measureHidden(visit) {
  const pid = await rendererOf(visit);
  await visit.hide(true);
  await sleep(1000);
  const drawn = await visit.drawings();
  const figures = await rounds(pid);
  const since = (await visit.drawings()) - drawn;
  await visit.hide(false);
  const middle = median(figures);
  table.push({
    measure: "hidden tab",
    goal: "no drawing; under 3 ms per second",
    measured: `${since} drawings; ${middle.toFixed(1)} ms per second`,
    met: since === 0 && middle < 3,
  });
}

/** @param {Visit} visit */
async function measureHeap(visit) {
  const session = await visit.page.context().newCDPSession(visit.page);
  const heap = async () => {
    await session.send("HeapProfiler.collectGarbage");
    const usage = /** @type {any} */ (await session.send("Runtime.getHeapUsage"));
    return { js: usage.usedSize / MIB, arrays: (usage.backingStorageSize ?? 0) / MIB };
  };
  const first = await heap();
  table.push({
    measure: "heap after collection, 12 charts",
    goal: "at most 10 MB",
    measured: `${first.js.toFixed(1)} MiB, and ${first.arrays.toFixed(1)} MiB of samples in arrays`,
    met: first.js + first.arrays <= 10,
  });
  if (HEAP_MINUTES > 0) {
    await sleep(HEAP_MINUTES * 60_000);
    const last = await heap();
    const slope = ((last.js - first.js) * 60) / HEAP_MINUTES;
    table.push({
      measure: `slope of the heap over ${HEAP_MINUTES} min`,
      goal: "under 0.2 MB an hour over two hours",
      measured: `${slope.toFixed(2)} MiB an hour; arrays ${first.arrays.toFixed(1)} to ${last.arrays.toFixed(1)} MiB`,
      met: slope < 0.2,
    });
  }
}

async function measureLoad() {
  /** @type {{ first: number, longest: number, bytes: number }[]} */
  const figures = [];
  let violations = 0;
  let complaints = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const context = await (await theBrowser()).newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    await session.send("Network.enable");
    let bytes = 0;
    session.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
    page.on("console", (message) => (complaints += message.type() === "error" ? 1 : 0));
    page.on("pageerror", () => (complaints += 1));
    await page.addInitScript(() => {
      const told = /** @type {any} */ (window);
      told.longest = 0;
      document.addEventListener("securitypolicyviolation", () => console.error("content security policy"));
      new PerformanceObserver((list) => {
        for (const { startTime, duration } of list.getEntries()) {
          // After load: what it takes to get there is in another figure.
          told.longest = startTime > told.first ? Math.max(told.longest, duration) : told.longest;
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
      requestAnimationFrame(look);
    });
    await page.goto(few.url);
    await page.waitForFunction(() => /** @type {any} */ (window).first > 0);
    await sleep(SECONDS * 1000);
    const { first, longest } = await page.evaluate(() => /** @type {any} */ ({ first: window.first, longest: window.longest }));
    figures.push({ first, longest, bytes });
    if (round === 0) {
      violations = (await axeViolations(page)).length;
    }
    await context.close();
  }
  const first = median(figures.map(({ first }) => first));
  const longest = median(figures.map(({ longest }) => longest));
  const bytes = median(figures.map(({ bytes }) => bytes));
  table.push(
    { measure: "longest task after load", goal: "at most 50 ms", measured: longest > 0 ? `${longest.toFixed(0)} ms` : "none over 50 ms", met: longest <= 50 },
    { measure: "transfer, gzip, everything", goal: "at most 45 KB", measured: `${(bytes / 1000).toFixed(1)} KB with the heads`, met: bytes <= 45_000 },
    { measure: "navigation to first chart, loopback", goal: "at most 300 ms", measured: `${first.toFixed(0)} ms`, met: first <= 300 },
    { measure: "axe violations, CSP reports, console errors", goal: "0", measured: `${violations + complaints}`, met: violations + complaints === 0 },
  );
}
