/** Pages that have no business here, in a browser that can reach the daemon. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import test from "node:test";
import { theBrowser } from "../harness/browser.js";
import { afterwards, daemonFor } from "../harness/scene.js";
import { Tokens } from "../harness/tokens.js";

/**
 * A site of someone else, on a port of its own.
 * @param {import("node:test").TestContext} t
 */
async function foreignSite(t) {
  const server = createServer((_, response) => response.end("<!doctype html><title>elsewhere</title>"));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  afterwards(t, () => server.close());
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return `http://localhost:${port}`;
}

/**
 * @param {import("node:test").TestContext} t
 * @param {string} url
 */
async function pageOf(t, url) {
  const context = await (await theBrowser()).newContext();
  afterwards(t, () => context.close());
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/**
 * What the page gets hold of, by every way that a page has.
 * @param {import("playwright-core").Page} page
 * @param {string} url  of the daemon
 */
function attack(page, url) {
  return page.evaluate(async (target) => {
    const samples = new URL("api/v1/samples", target).href;
    /** @param {RequestInit} options */
    const fetched = async (options) => {
      try {
        const answer = await fetch(samples, options);
        return { type: answer.type, status: answer.status, text: (await answer.text()).slice(0, 20) };
      } catch (error) {
        return String(error);
      }
    };
    /** @param {"script" | "img"} kind */
    const embedded = (kind) =>
      new Promise((resolve) => {
        const element = document.createElement(kind);
        element.onload = () => resolve("loaded");
        element.onerror = () => resolve("failed");
        element.src = `${samples}?format=csv`;
        document.head.append(element);
      });
    const streamed = new Promise((resolve) => {
      const socket = new WebSocket(new URL("api/v1/stream", target.replace(/^http/, "ws")));
      socket.onmessage = ({ data }) => resolve(JSON.parse(data).type);
      socket.onclose = ({ code }) => resolve(`closed with ${code}`);
    });
    return {
      cors: await fetched({}),
      opaque: await fetched({ mode: "no-cors" }),
      script: await embedded("script"),
      image: await embedded("img"),
      stream: await streamed,
    };
  }, url);
}

const NOTHING = {
  cors: "TypeError: Failed to fetch",
  opaque: "TypeError: Failed to fetch",
  script: "failed",
  image: "failed",
  stream: "closed with 1006",
};

test("a page of another origin reads neither samples nor the stream", async (t) => {
  const daemon = await daemonFor(t);
  const page = await pageOf(t, await foreignSite(t));
  assert.deepEqual(await attack(page, daemon.url), NOTHING);
});

test("a page without an origin, in a frame of another, reads nothing either", async (t) => {
  const daemon = await daemonFor(t);
  const page = await pageOf(t, await foreignSite(t));
  const seen = await page.evaluate(async (target) => {
    const frame = document.createElement("iframe");
    frame.sandbox.add("allow-scripts");
    frame.srcdoc = `<script>
      const socket = new WebSocket("${target.replace(/^http/, "ws")}api/v1/stream");
      socket.onmessage = () => parent.postMessage("read the stream", "*");
      socket.onclose = ({ code }) => parent.postMessage("closed with " + code, "*");
    </script>`;
    return new Promise((resolve) => {
      addEventListener("message", ({ data }) => resolve(data), { once: true });
      document.body.append(frame);
    });
  }, daemon.url);
  assert.equal(seen, "closed with 1006");
});

test("a page that has its name rebound to this host reads nothing", async (t) => {
  const daemon = await daemonFor(t);
  const rebound = `http://rebound.example:${daemon.port}/`;
  const page = await pageOf(t, rebound);
  assert.match(await page.content(), /server\.allowed_hosts/);
  const { cors, opaque, stream } = await attack(page, rebound);
  const refusal = { type: "basic", status: 421, text: '{"error":"the reques' };
  assert.deepEqual({ cors, opaque, stream }, { cors: refusal, opaque: refusal, stream: "closed with 1006" });
});

test("a page of an origin that is listed reads both", async (t) => {
  const site = await foreignSite(t);
  const daemon = await daemonFor(t, { more: `allowed_origins = ["${site}"]` });
  const { cors, stream } = await attack(await pageOf(t, site), daemon.url);
  assert.deepEqual(cors, { type: "cors", status: 200, text: '{"epoch":"' + (await epoch(daemon.url)).slice(0, 10) });
  assert.equal(stream, "hello");
});

test("a browser is asked for a token once, and keeps no more than a cookie that scripts cannot read", async (t) => {
  const tokens = new Tokens();
  const token = tokens.add("wall");
  const daemon = await daemonFor(t, { more: tokens.settings });
  const page = await pageOf(t, daemon.url);

  await page.getByLabel("Token").fill("hostcast_guess");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("This token is not known here.").waitFor();
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForFunction(() => document.documentElement.dataset.state === "live");
  assert.equal(page.url(), daemon.url);
  assert.equal(await page.evaluate(() => document.cookie), "");
  await page.reload();
  await page.waitForFunction(() => document.documentElement.dataset.state === "live");

  // The cookie is there, and is still of no use to another page.
  const other = await page.context().newPage();
  await other.goto(await foreignSite(t));
  assert.deepEqual(await attack(other, daemon.url), NOTHING);
});

test("a page of another origin signs nobody out, and frames nothing", async (t) => {
  const tokens = new Tokens();
  const secret = tokens.add("wall");
  const daemon = await daemonFor(t, { more: tokens.settings });
  const page = await pageOf(t, daemon.url);
  await page.getByLabel("Token").fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForFunction(() => document.documentElement.dataset.state === "live");

  const other = await page.context().newPage();
  const site = await foreignSite(t);
  await other.goto(site);
  await other.evaluate((target) => {
    const form = document.createElement("form");
    form.method = "post";
    form.action = `${target}sign-out`;
    document.body.append(form);
    form.submit();
  }, daemon.url);
  await other.getByText("a page of another origin asks").waitFor();
  await other.goto(site);
  const framed = await other.evaluate(async (target) => {
    const frame = document.createElement("iframe");
    const loaded = new Promise((resolve) => (frame.onload = resolve));
    frame.src = target;
    document.body.append(frame);
    await loaded;
    // What the browser shows instead is of no origin either, so that only its own page could be read.
    return frame.contentDocument === null;
  }, daemon.url);
  assert.ok(framed);
  const frame = other.frames().find((candidate) => candidate !== other.mainFrame());
  assert.doesNotMatch((await frame?.content()) ?? "", /hostcast/);

  await page.reload();
  await page.waitForFunction(() => document.documentElement.dataset.state === "live");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token").waitFor();
  assert.deepEqual(await page.context().cookies(), []);
  await page.reload();
  await page.getByLabel("Token").waitFor();
});

test("who needs no token is shown no way out", async (t) => {
  const daemon = await daemonFor(t);
  const page = await pageOf(t, daemon.url);
  await page.waitForFunction(() => document.documentElement.dataset.state === "live");
  assert.ok(await page.getByRole("button", { name: "Sign out" }).isHidden());
});

/** @param {string} url */
async function epoch(url) {
  const status = /** @type {{ epoch: string }} */ (await (await fetch(new URL("api/v1/status", url))).json());
  return status.epoch;
}
