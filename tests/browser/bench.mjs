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
import path from "node:path";
import { chromium } from "playwright-core";
import { axeViolations } from "./harness/axe.js";
import { closeBrowser, countDrawings, FLAGS, hide, PROGRAM, theBrowser } from "./harness/browser.js";
import { ended, scratch, start } from "./harness/scratch.js";
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

/** @param {number} ms */
function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** @param {number[]} values */
function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/**
 * A browser of its own with one page. While it is measured no debugger is attached: that would count each message of
 * the stream, too.
 */
class Watched {
  #child;
  #address;
  #pid = 0;

  /**
   * @param {import("node:child_process").ChildProcess} child
   * @param {string} address
   */
  constructor(child, address) {
    this.#child = child;
    this.#address = address;
  }

  /**
   * @param {string} url
   * @param {{ folded: string, width: number, height: number }} scene
   */
  static async open(url, { folded, width, height }) {
    const profile = path.join(scratch, `watched-${width}`);
    const flags = [...FLAGS, "--remote-debugging-port=0", `--user-data-dir=${profile}`, `--window-size=${width},${height}`];
    const child = start(PROGRAM, [...flags, "about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
    const { stderr } = /** @type {import("node:child_process").ChildProcessWithoutNullStreams} */ (/** @type {unknown} */ (child));
    const address = await new Promise((resolve) => {
      stderr.on("data", (text) => {
        const found = /DevTools listening on (ws:\S+)/.exec(String(text))?.[1];
        if (found) {
          resolve(found);
        }
      });
    });
    const watched = new Watched(child, address);
    await watched.touch(async (page) => {
      await page.goto(url);
      await page.evaluate((value) => localStorage.setItem("hostcast.folded", value), folded);
      await page.goto(`${url}#span=all`);
      await page.reload();
      await page.waitForFunction(() => document.documentElement.dataset.state === "live");
      await sleep(3000);
      const session = await page.context().browser()?.newBrowserCDPSession();
      const { processInfo } = await /** @type {import("playwright-core").CDPSession} */ (session).send("SystemInfo.getProcessInfo");
      const renderers = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
      watched.#pid = renderers.toSorted((a, b) => cpuMs(b) - cpuMs(a))[0];
    });
    return watched;
  }

  /**
   * Does something with the page, and lets go of it.
   * @template Result
   * @param {(page: import("playwright-core").Page) => Promise<Result>} act
   */
  async touch(act) {
    const browser = await chromium.connectOverCDP(this.#address);
    try {
      return await act(browser.contexts()[0].pages()[0]);
    } finally {
      await browser.close();
    }
  }

  /** Milliseconds of CPU a second, one figure a round. */
  async rounds() {
    const figures = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const [from, at] = [cpuMs(this.#pid), performance.now()];
      await sleep(SECONDS * 1000);
      figures.push(((cpuMs(this.#pid) - from) / (performance.now() - at)) * 1000);
    }
    return figures;
  }

  close() {
    this.#child.kill("SIGKILL");
    return ended(this.#child);
  }
}

/** @param {number} pid */
function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /, "").split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/**
 * @param {Watched} watched
 * @param {string} measure
 * @param {number} charts
 * @param {number} goal
 */
async function measureCpu(watched, measure, charts, goal) {
  const [shown, samples] = await watched.touch((page) =>
    page.evaluate(() => {
      const plots = [...document.querySelectorAll(".plot")].filter((plot) => plot.checkVisibility({ contentVisibilityAuto: true }));
      const seen = plots.map((plot) => plot.getBoundingClientRect()).filter(({ top, bottom }) => bottom > 0 && top < innerHeight);
      return [seen.length, document.documentElement.dataset.samples];
    }),
  );
  if (shown !== charts) {
    throw new Error(`${shown} charts are visible, not ${charts}`);
  }
  const figures = await watched.rounds();
  const middle = median(figures);
  const range = `${Math.min(...figures).toFixed(0)} to ${Math.max(...figures).toFixed(0)}`;
  report(measure, `at most ${goal} ms per second`, `${middle.toFixed(0)} ms per second (${range}; ${samples} points)`, middle <= goal);
}

/** @param {Watched} watched */
async function measureHidden(watched) {
  const drawn = await watched.touch(async (page) => {
    await page.evaluate(hide, true);
    await page.evaluate(countDrawings);
    return page.evaluate(() => /** @type {any} */ (window).drawings);
  });
  await sleep(1000);
  const figures = await watched.rounds();
  const since = (await watched.touch((page) => page.evaluate(() => /** @type {any} */ (window).drawings))) - drawn;
  await watched.touch((page) => page.evaluate(hide, false));
  const middle = median(figures);
  report("hidden tab", "no drawing; under 3 ms per second", `${since} drawings; ${middle.toFixed(1)} ms per second`, since === 0 && middle < 3);
}

/** @param {Watched} watched */
async function measureHeap(watched) {
  const heap = () =>
    watched.touch(async (page) => {
      const session = await page.context().newCDPSession(page);
      await session.send("HeapProfiler.collectGarbage");
      const usage = /** @type {any} */ (await session.send("Runtime.getHeapUsage"));
      return { js: usage.usedSize / MIB, arrays: (usage.backingStorageSize ?? 0) / MIB };
    });
  const first = await heap();
  report(
    "heap after collection, 12 charts",
    "at most 10 MB",
    `${first.js.toFixed(1)} MiB, and ${first.arrays.toFixed(1)} MiB of samples in arrays`,
    first.js + first.arrays <= 10,
  );
  if (HEAP_MINUTES > 0) {
    await sleep(HEAP_MINUTES * 60_000);
    const last = await heap();
    const slope = ((last.js - first.js) * 60) / HEAP_MINUTES;
    report(
      `slope of the heap over ${HEAP_MINUTES} min`,
      "under 0.2 MB an hour over two hours",
      `${slope.toFixed(2)} MiB an hour; arrays ${first.arrays.toFixed(1)} to ${last.arrays.toFixed(1)} MiB`,
      slope < 0.2,
    );
  }
}

/**
 * @param {string} measure
 * @param {string} goal
 * @param {string} measured
 * @param {boolean} met
 */
function report(measure, goal, measured, met) {
  table.push({ measure, goal, measured, met });
  console.error(`${measure}: ${measured}`);
}

/** @param {string} url */
async function measureLoad(url) {
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
    await page.goto(url);
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
  const kilobytes = bytes / 1000;
  report("longest task after load", "at most 50 ms", longest > 0 ? `${longest.toFixed(0)} ms` : "none over 50 ms", longest <= 50);
  report("transfer, gzip, everything", "at most 45 KB", `${kilobytes.toFixed(1)} KB with the heads`, kilobytes <= 45);
  report("navigation to first chart, loopback", "at most 300 ms", `${first.toFixed(0)} ms`, first <= 300);
  report("axe violations, CSP reports, console errors", "0", `${violations + complaints}`, violations + complaints === 0);
}

async function main() {
  const [few, many] = await Promise.all([TWELVE, SIXTY].map(({ cores }) => simulatedHost(cores, { interval: "100ms" })));
  console.error(`collecting ${HELD_S} s of the past`);
  await sleep(HELD_S * 1000);

  await measureLoad(few.url);
  const twelve = await Watched.open(few.url, TWELVE);
  await measureCpu(twelve, "renderer CPU, 12 visible charts", 12, 60);
  await measureHidden(twelve);
  const sixty = await Watched.open(many.url, SIXTY);
  await measureCpu(sixty, "renderer CPU, 60 visible charts", 60, 120);
  await sixty.close();
  await many.kill();
  await measureHeap(twelve);
  await twelve.close();

  console.log("| measure | goal | measured | met |\n| --- | --- | --- | --- |");
  for (const { measure, goal, measured, met } of table) {
    console.log(`| ${measure} | ${goal} | ${measured} | ${met ? "yes" : "NO"} |`);
  }
  console.log(`\n${cpus().length} cores of ${cpus()[0].model}, load average ${loadavg().map((load) => load.toFixed(1)).join(" ")}.`);
  await closeBrowser();
}

await main();
process.exit(0);
