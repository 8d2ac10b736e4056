/** That the harness would notice: what is forbidden is done here on purpose. */

import assert from "node:assert/strict";
import test from "node:test";
import { daemonFor, visitFor } from "../harness/scene.js";
import { until } from "../harness/until.js";

test("the harness sees errors, refused inline styles and requests to elsewhere", async (t) => {
  const daemon = await daemonFor(t);
  const visit = await visitFor(t, daemon.url);
  assert.deepEqual(visit.takeComplaints(), []);

  await visit.page.evaluate(() => {
    console.error("told to the console");
    setTimeout(() => {
      throw new Error("caught by nobody");
    });
    const style = document.createElement("style");
    style.textContent = "body { color: red }";
    document.head.append(style);
    new Image().src = "http://127.0.0.1:9/pixel.png";
  });
  const seen = /** @type {string[]} */ ([]);
  for (const wanted of [/told to the console/, /caught by nobody/, /style-src/, /img-src|elsewhere/]) {
    await until(`a complaint like ${wanted}`, () => {
      seen.push(...visit.takeComplaints());
      return seen.some((complaint) => wanted.test(complaint));
    });
  }
  await visit.takesMoreSamples(2);
  visit.takeComplaints();
});
