/**
 * Takes pictures of the dashboard, for its documentation and for whoever works on its looks:
 *   npm run screenshots -- OUTDIR [URL]
 * Without a URL it starts a daemon, gives the host some varied work and waits until there is something to see.
 */

import { mkdirSync } from "node:fs";
import path from "node:path";
import { closeBrowser, Visit } from "./harness/browser.js";
import { Daemon } from "./harness/daemon.js";
import { scratch, start } from "./harness/scratch.js";

const WIDTHS = [360, 768, 1440];
const THEMES = /** @type {const} */ (["light", "dark"]);
const HISTORY_MS = 4 * 60_000;

/** Bursts of each kind of work that the page has a chart for. */
const WORK = `
end=$(($(date +%s) + ${HISTORY_MS / 1000 + 60}))
while [ $(date +%s) -lt $end ]; do
  timeout 6 sh -c 'while :; do :; done'
  sleep 5
  dd if=/dev/zero of="$1/work" bs=1M count=200 conv=fsync 2>/dev/null; rm -f "$1/work"
  sleep 4
  timeout 8 sh -c 'while :; do head -c 32M /dev/urandom | gzip >/dev/null; done'
  sleep 7
done`;

/** Asks the daemon for itself over and over, now and then: traffic on the loopback interface. */
const TRAFFIC = `
end=$(($(date +%s) + ${HISTORY_MS / 1000 + 60}))
while [ $(date +%s) -lt $end ]; do
  for burst in 1 2 3 4 5 6 7 8; do curl -s -o /dev/null "$1api/v1/samples?last=all"; sleep 0.4; done
  sleep 6
done`;

const [out, given] = process.argv.slice(2);
if (!out) {
  console.error("usage: npm run screenshots -- OUTDIR [URL]");
  process.exit(2);
}
mkdirSync(out, { recursive: true });

const url = given ?? (await atWork());
for (const theme of THEMES) {
  for (const width of WIDTHS) {
    const visit = await Visit.open(url, {
      viewport: { width, height: 900 },
      colorScheme: theme,
      deviceScaleFactor: width === 360 ? 2 : 1,
    });
    await visit.reaches("live");
    // What is out of sight is not drawn, so all of it must be in sight.
    const height = await visit.page.evaluate(() => document.documentElement.scrollHeight);
    await visit.page.setViewportSize({ width, height });
    await visit.takesMoreSamples(3);
    const file = path.join(out, `${width}-${theme}.png`);
    await visit.page.screenshot({ path: file });
    console.log(file);
    await visit.close();
  }
}
await closeBrowser();
process.exit(0);

/** A daemon whose host has had something to do for a while. */
async function atWork() {
  const daemon = await Daemon.start({
    more: `[collectors.network]\nexclude = []\n[labels]\nsite = "fra1"\nrole = "build"`,
  });
  start("/bin/sh", ["-c", WORK, "work", scratch]);
  start("/bin/sh", ["-c", TRAFFIC, "traffic", daemon.url]);
  console.log(`${daemon.url} collects ${HISTORY_MS / 1000} s of history`);
  await new Promise((resolve) => setTimeout(resolve, HISTORY_MS));
  return daemon.url;
}
