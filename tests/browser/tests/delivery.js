/** How the page gets to the browser. */

import assert from "node:assert/strict";
import test from "node:test";
import { daemonFor, proxyFor, visitFor } from "../harness/scene.js";
import { theBrowser } from "../harness/browser.js";

/**
 * The answers that crossed the wire, without those of the stream.
 * @param {import("../harness/proxy.js").Proxy} proxy
 */
function answers(proxy) {
  return proxy.received
    .flatMap((text) => text.match(/HTTP\/1\.1 \d{3}[\s\S]*?\r\n\r\n/g) ?? [])
    .map((head) => ({ status: Number(head.slice(9, 12)), head: head.toLowerCase() }))
    .filter(({ status }) => status !== 101);
}

test("the page is one small document, and its assets are compressed and kept for ever", async (t) => {
  const daemon = await daemonFor(t);
  const context = await (await theBrowser()).newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  /** @type {Map<string, Record<string, string>>} */
  const responses = new Map();
  page.on("response", async (response) => {
    responses.set(new URL(response.url()).pathname, await response.allHeaders());
  });
  await page.goto(daemon.url, { waitUntil: "networkidle" });

  const document = responses.get("/");
  assert.equal(document?.["cache-control"], "no-cache");
  assert.match(document?.["content-security-policy"] ?? "", /^default-src 'self';/);
  const assets = [...responses].filter(([path]) => path !== "/");
  assert.ok(assets.length >= 2, [...responses.keys()].join());
  for (const [path, headers] of assets) {
    assert.match(path, /^\/assets\/[a-z]+-[A-Z0-9]{8}\.(js|css|svg)$/);
    assert.equal(headers["content-encoding"], "gzip", path);
    assert.match(headers["cache-control"], /immutable/, path);
  }
});

test("a reload costs one answer without a body", async (t) => {
  const daemon = await daemonFor(t);
  const proxy = await proxyFor(t, daemon);
  const visit = await visitFor(t, proxy.url);
  const before = answers(proxy);
  assert.ok(before.length >= 3 && before.every(({ status }) => status === 200), "page, script and style came whole");

  proxy.forget();
  await visit.page.reload();
  await visit.reaches("live");
  // The browser asks for the icon when it likes.
  const since = answers(proxy).filter(({ head }) => !head.includes("image/svg"));
  assert.deepEqual(since.map(({ status }) => status), [304]);
  assert.ok(!since[0].head.includes("content-length: ") || since[0].head.includes("content-length: 0"));
});

test("nothing is fetched from elsewhere, and nothing is kept but the viewer's choices", async (t) => {
  const daemon = await daemonFor(t);
  const visit = await visitFor(t, daemon.url);
  const asked = /** @type {string[]} */ ([]);
  visit.page.on("request", (request) => asked.push(new URL(request.url()).origin));
  await visit.page.reload();
  await visit.reaches("live");
  await visit.chooseWindow("15 min");
  await visit.takesMoreSamples(4);
  assert.deepEqual([...new Set(asked)], [new URL(daemon.url).origin]);
  const kept = await visit.page.evaluate(() => [Object.keys(localStorage), Object.keys(sessionStorage), document.cookie]);
  assert.deepEqual(kept, [["hostcast.window"], [], ""]);
});
