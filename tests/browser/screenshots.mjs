/**
 * Takes pictures of the dashboard, for its documentation and for whoever works on its looks:
 *   npm run screenshots -- OUTDIR [URL]
 * Without a URL: of a daemon on this host, idle and at work, with a gap, and stale, and of a simulated host of 128 cores,
 * at four widths, light and dark; and of what is seen less often: several hosts, one chart, a wall, dialogs, the page
 * before its first sample and without a token.
 */

import { mkdirSync } from "node:fs";
import path from "node:path";
import { closeBrowser, theBrowser, Visit } from "./harness/browser.js";
import { Daemon } from "./harness/daemon.js";
import { Proxy } from "./harness/proxy.js";
import { scratch, start } from "./harness/scratch.js";
import { simulatedHost } from "./harness/simulated.js";
import { Tokens } from "./harness/tokens.js";
import { freePort } from "./harness/webserver.js";

const WIDTHS = [360, 768, 1440, 2560];
const THEMES = /** @type {const} */ (["light", "dark"]);
const PAST_MS = Number(process.env.HOSTCAST_PAST_SECONDS ?? 150) * 1000;
const TOP_HEIGHT = 1130;
const HELD_UP_MS = 12_000;
const MORE = `[collectors.network]\nexclude = []\n[labels]\nsite = "fra1"\nrole = "build"`;

/** Bursts of each kind of work that the page has a chart for. */
const WORK = `
while :; do
  timeout 6 sh -c 'while :; do :; done'
  sleep 5
  dd if=/dev/zero of="$1/work" bs=1M count=200 conv=fsync 2>/dev/null; rm -f "$1/work"
  sleep 4
  timeout 8 sh -c 'while :; do head -c 32M /dev/urandom | gzip >/dev/null; done'
  sleep 7
done`;

/** Asks the daemon for itself over and over, now and then: traffic on the loopback interface. */
const TRAFFIC = `
while :; do
  for burst in 1 2 3 4 5 6 7 8; do curl -s -o /dev/null "$1api/v1/samples?last=all"; sleep 0.4; done
  sleep 6
done`;

const [out, given] = process.argv.slice(2);
if (!out) {
  console.error("usage: npm run screenshots -- OUTDIR [URL]");
  process.exit(2);
}
mkdirSync(out, { recursive: true });

if (given) {
  await series("given", given, "live");
} else {
  await ofAll();
}
await closeBrowser();
process.exit(0);

async function ofAll() {
  const port = await freePort();
  const others = `allowed_origins = ["http://127.0.0.1:${port}"]\n`;
  const big = await simulatedHost(128, { interval: "1s", more: others });
  const small = await simulatedHost(8, { interval: "1s", more: others });
  const hosts = `[dashboard]\nhosts = ["${small.url}", "${big.url}", "http://127.0.0.1:1/"]\n`;
  const idle = await Daemon.start({ interval: "1s", more: MORE });
  const home = await Daemon.start({ interval: "1s", port, more: hosts });
  console.log(`collecting ${PAST_MS / 1000} s of the past, with nothing to do`);
  await sleep(PAST_MS);
  await series("idle", idle.url, "live");
  await series("128-cores", big.url, "live");
  await seldom(small.url, home.url);
  for (const daemon of [idle, home, big, small]) {
    await daemon.kill();
  }

  const busy = await Daemon.start({ interval: "1s", heartbeat: "1m", more: MORE });
  const work = [start("/bin/sh", ["-c", WORK, "work", scratch]), start("/bin/sh", ["-c", TRAFFIC, "traffic", busy.url])];
  console.log(`collecting ${PAST_MS / 1000} s of the past, at work`);
  await sleep(PAST_MS);
  await series("load", busy.url, "live");
  busy.signal("SIGSTOP");
  await sleep(HELD_UP_MS);
  busy.signal("SIGCONT");
  await sleep(HELD_UP_MS);
  await series("gap", busy.url, "live");
  await stale(busy);
  work.forEach((child) => child.kill("SIGKILL"));
}

/**
 * What few see, or for a moment.
 * @param {string} url
 * @param {string} home  of one that names others
 */
async function seldom(url, home) {
  const tokens = new Tokens();
  tokens.add("wall");
  const strict = await Daemon.start({ more: tokens.settings });
  const held = await Proxy.start(Number(new URL(url).port));
  held.holdStreams();
  for (const theme of THEMES) {
    for (const width of [360, 1440]) {
      const name = `${width}-${theme}`;
      await still(strict.url, width, theme, `sign-in-${name}`, (page) => page.getByLabel("Token").waitFor());
      await still(held.url, width, theme, `waiting-${name}`, (page) => page.locator("#waiting").waitFor());
      await still(home, width, theme, `hosts-${name}`, async (page) => {
        await page.waitForFunction(() => document.querySelectorAll('.host-row[data-state="live"]').length === 3);
        await sleep(2000);
      });
      for (const [dialog, opener] of [["keys", "#open-help"], ["daemon", "#open-drawer"]]) {
        await still(url, width, theme, `${dialog}-${name}`, async (page) => {
          await page.locator(opener).click();
          await sleep(1500);
        });
      }
    }
    await still(`${url}?kiosk`, 1440, theme, `kiosk-1440-${theme}`, () => sleep(3000));
    await still(`${url}?chart=cores`, 768, theme, `alone-768-${theme}`, () => sleep(3000));
    const paper = await opened(url, 1440, theme);
    await paper.page.pdf({ path: path.join(out, `paper-${theme}.pdf`), format: "A4" });
    await paper.close();
  }
  await strict.kill();
  held.close();
}

/**
 * One picture of the size of a screen.
 * @param {string} url
 * @param {number} width
 * @param {"light" | "dark"} theme
 * @param {string} name
 * @param {(page: import("playwright-core").Page) => Promise<unknown>} prepare
 */
async function still(url, width, theme, name, prepare) {
  const context = await (await theBrowser()).newContext(looks(width, theme));
  const page = await context.newPage();
  await page.goto(url);
  await prepare(page);
  await page.screenshot({ path: path.join(out, `${name}.png`) });
  console.log(name);
  await context.close();
}

/** @param {Daemon} daemon */
async function stale(daemon) {
  for (const theme of THEMES) {
    const visit = await opened(daemon.url, 1440, theme);
    daemon.signal("SIGSTOP");
    await visit.reaches("stale");
    await sleep(8000);
    await shoot(visit, `stale-1440-${theme}`);
    daemon.signal("SIGCONT");
    await visit.reaches("live");
    await visit.close();
  }
}

/**
 * @param {string} name
 * @param {string} url
 * @param {string} state
 */
async function series(name, url, state) {
  for (const theme of THEMES) {
    for (const width of WIDTHS) {
      const visit = await opened(url, width, theme);
      await visit.reaches(state);
      await shoot(visit, `${name}-${width}-${theme}`);
      await visit.close();
    }
  }
}

/**
 * @param {string} url
 * @param {number} width
 * @param {"light" | "dark"} colorScheme
 */
async function opened(url, width, colorScheme) {
  const visit = await Visit.open(url, looks(width, colorScheme));
  await visit.reaches("live");
  return visit;
}

/**
 * @param {number} width
 * @param {"light" | "dark"} colorScheme
 */
function looks(width, colorScheme) {
  const phone = width === 360;
  return { viewport: { width, height: 900 }, colorScheme, deviceScaleFactor: phone ? 2 : 1, isMobile: phone, hasTouch: phone };
}

/**
 * @param {Visit} visit
 * @param {string} name
 */
async function shoot(visit, name) {
  const { page } = visit;
  // What is out of sight is not drawn, so all of it must be in sight.
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width: page.viewportSize()?.width ?? 1440, height });
  await page.waitForFunction(() =>
    [...document.querySelectorAll(".plot canvas")].every((canvas) => {
      const { width, clientWidth } = /** @type {HTMLCanvasElement} */ (canvas);
      return clientWidth === 0 || Math.abs(width / devicePixelRatio - clientWidth) <= 1;
    }),
  );
  await sleep(1500);
  const file = path.join(out, `${name}.png`);
  await page.screenshot({ path: file });
  console.log(file);
  if (name.includes("-1440-")) {
    // What fits into a README.
    await page.screenshot({ path: path.join(out, `top-${name}.png`), clip: { x: 0, y: 0, width: 1440, height: TOP_HEIGHT } });
  }
}

/** @param {number} ms */
function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
