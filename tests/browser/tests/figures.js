/** That what the page shows is true: the same host, read by the test itself. */

import assert from "node:assert/strict";
import test from "node:test";
import { HostWatch, makeBusy } from "../harness/host.js";
import { afterwards, daemonFor, visitFor } from "../harness/scene.js";
import { until } from "../harness/until.js";

/** The kernel counts in ticks of 10 ms, and two readers never read at the same instant. */
const CPU_TOLERANCE = 0.05;
const MEMORY_TOLERANCE = 24 * 1024 ** 2;
/** Two processes run now and then between a sample's time and its reading of /proc. */
const OUTLIERS = 1;
const COMPARED = 5;

/**
 * @param {import("node:test").TestContext} t
 */
async function sceneWithWatch(t) {
  const watch = new HostWatch();
  afterwards(t, () => watch.close());
  const daemon = await daemonFor(t, { interval: "1s" });
  const visit = await visitFor(t, daemon.url);
  return { watch, visit };
}

/**
 * Takes what a tile shows, sample by sample, and has each compared with what the host said.
 * @param {import("../harness/browser.js").Visit} visit
 * @param {string} id  of the tile
 * @param {string} series
 * @param {(sample: any, shown: number, text: string) => string | null | undefined} compare  what is wrong with it, null
 *   where nothing is, undefined where it cannot be told
 */
async function compareTile(visit, id, series, compare) {
  const wrong = /** @type {string[]} */ ([]);
  let last = (await visit.facts()).lastSeq;
  for (let compared = 0; compared < COMPARED; ) {
    const { seq, value, text } = await until(`the next sample on tile-${id}`, async () => {
      const { lastSeq } = await visit.facts();
      const shown = await visit.tile(id);
      const schema = visit.stream.messages.find(({ type }) => type === "schema");
      const at = schema?.series.findIndex((/** @type {any} */ one) => one.id === series);
      const sample = visit.samples().find(({ seq }) => seq === lastSeq);
      // The tile follows the message by a frame.
      return lastSeq > last && sample?.values[at] === shown.value && { seq: lastSeq, ...shown };
    });
    last = seq;
    const verdict = compare(visit.samples().find((sample) => sample.seq === seq), value, text);
    if (verdict !== undefined) {
      compared += 1;
      wrong.push(...(verdict === null ? [] : [verdict]));
    }
  }
  assert.ok(wrong.length <= OUTLIERS, wrong.join("\n"));
}

test("the CPU figure is the kernel's, as the host is and under load", async (t) => {
  const { watch, visit } = await sceneWithWatch(t);
  /** @param {number} least */
  const compare = (least) => (/** @type {any} */ sample, /** @type {number} */ shown, /** @type {string} */ text) => {
    const told = watch.cpu(sample.time - sample.elapsed_ms, sample.time);
    if (told === null) {
      return undefined;
    }
    assert.equal(text, `${(shown * 100).toFixed(shown >= 0.9995 ? 0 : 1)}%`);
    return Math.abs(shown - told) <= CPU_TOLERANCE && shown >= least ? null : `shown ${text}, the kernel says ${(told * 100).toFixed(1)}%`;
  };
  await compareTile(visit, "cpu", "system.cpu.utilization", compare(0));

  const calm = makeBusy();
  afterwards(t, calm);
  await visit.page.waitForFunction(() => {
    const value = /** @type {HTMLElement | null} */ (document.querySelector('[data-testid="tile-cpu"] .tile-value'));
    return Number(value?.dataset.value) > 0.95;
  });
  await compareTile(visit, "cpu", "system.cpu.utilization", compare(0.9));
  await calm();
});

test("the memory figure is the kernel's, also after 300 MiB more", async (t) => {
  const { watch, visit } = await sceneWithWatch(t);
  const series = "system.memory.usage{system.memory.state=used}";
  /** @param {any} sample @param {number} shown @param {string} text */
  const compare = (sample, shown, text) => {
    const told = watch.memory(sample.time);
    if (told === null) {
      return undefined;
    }
    const close = shown >= told.least - MEMORY_TOLERANCE && shown <= told.most + MEMORY_TOLERANCE;
    return close ? null : `shown ${text} (${shown}), the kernel says ${told.least} to ${told.most}`;
  };
  await compareTile(visit, "memory", series, compare);
  const ballast = Buffer.alloc(300 * 1024 ** 2, 1);
  await compareTile(visit, "memory", series, compare);
  assert.equal(ballast[ballast.length - 1], 1, "the memory was held until here");
});

test("samples come at the rate of the interval", async (t) => {
  const daemon = await daemonFor(t, { interval: "200ms" });
  const visit = await visitFor(t, daemon.url);
  const [seconds, count] = await visit.page.evaluate(
    () =>
      new Promise((resolve) => {
        const held = () => Number(document.documentElement.dataset.samples);
        /** @type {[number, number] | null} */
        let start = null;
        new MutationObserver(() => {
          start ??= [performance.now(), held()];
          const [at, samples] = start;
          if (held() >= samples + 25) {
            resolve([(performance.now() - at) / 1000, held() - samples]);
          }
        }).observe(document.documentElement, { attributeFilter: ["data-samples"] });
      }),
  );
  assert.ok(Math.abs(count / seconds - 5) < 0.75, `${count} samples in ${seconds.toFixed(2)} s`);
});
