/** The dashboard and the feed through nginx and Caddy, set up as packaging/proxy/ says. */

import assert from "node:assert/strict";
import https from "node:https";
import test from "node:test";
import { theBrowser } from "../harness/browser.js";
import { afterwards, daemonFor, visitFor } from "../harness/scene.js";
import { Tokens } from "../harness/tokens.js";
import { LOGIN, NAME, SETTINGS, WebServer, program } from "../harness/webserver.js";
import { until } from "../harness/until.js";

/** Less than the time between two samples, so that only heartbeats keep a stream from being silent for so long. */
const SILENCE = "2s";
const RARELY = { interval: "3s", heartbeat: "1s", more: SETTINGS };
const BROWSER = { ignoreHTTPSErrors: true, httpCredentials: LOGIN };

/** @type {Record<string, (port: number, manner?: import("../harness/webserver.js").Manner) => Promise<WebServer>>} */
const SERVERS = {
  nginx: (port, manner) => WebServer.nginx(port, SILENCE, manner),
  caddy: (port, manner) => WebServer.caddy(port, manner),
};

/**
 * @param {import("node:test").TestContext} t
 * @param {string} name
 * @param {number} port
 * @param {import("../harness/webserver.js").Manner} [manner]
 */
async function webServerFor(t, name, port, manner) {
  const server = await SERVERS[name](port, manner);
  afterwards(t, () => server.close());
  return server;
}

/**
 * Asks as a program does.
 * @param {string} url
 * @param {boolean} [withLogin]
 * @param {https.RequestOptions} [more]
 * @returns {Promise<import("node:http").IncomingMessage>}
 */
function ask(url, withLogin = true, { headers = {}, ...more } = {}) {
  const auth = withLogin ? `${LOGIN.username}:${LOGIN.password}` : undefined;
  const { port } = new URL(url);
  const options = { auth, headers: { host: `${NAME}:${port}`, ...headers }, rejectUnauthorized: false, agent: false, ...more };
  return new Promise((resolve, reject) => {
    https
      .get(url.replace(NAME, "127.0.0.1"), options, resolve)
      .on("error", reject);
  });
}

for (const name of Object.keys(SERVERS)) {
  const skip = program(name) ? false : `there is no ${name} here: run scripts/setup test`;

  test(`through ${name} a stream outlives its idle timeout, and the page goes on when it is reloaded`, { skip }, async (t) => {
    const daemon = await daemonFor(t, RARELY);
    const server = await webServerFor(t, name, daemon.port);
    const visit = await visitFor(t, server.url, BROWSER);
    await visit.takesMoreSamples(2);
    assert.equal(visit.streams.length, 1, "the stream was never lost");
    assert.ok(visit.stream.messages.some(({ type }) => type === "heartbeat"));

    visit.expectOutage();
    server.reload();
    await visit.takesMoreSamples(2);
    await visit.reaches("live");
    const seqs = visit.samples().map(({ seq }) => seq);
    assert.deepEqual(seqs, seqs.map((_, at) => seqs[0] + at), "nothing is missing and nothing came twice");
  });

  test(`through ${name} a feed comes line by line, only to those with a login, and only at its path`, { skip }, async (t) => {
    const daemon = await daemonFor(t, { more: SETTINGS });
    const { url } = await webServerFor(t, name, daemon.port);
    const feed = await ask(`${url}api/v1/samples?last=1s&format=ndjson&follow=true`);
    assert.equal(feed.statusCode, 200);
    let text = "";
    feed.on("data", (data) => (text += data));
    feed.on("error", () => {});
    await until("five lines, one a tick", () => text.split("\n").length > 5);
    feed.destroy();

    assert.equal((await ask(`${url}api/v1/status`, false)).statusCode, 401);
    const bare = await ask(url.replace(/\/$/, ""));
    assert.equal(bare.statusCode, 308);
    assert.match(bare.headers.location ?? "", /\/hostcast\/$/);
    assert.notEqual((await ask(url.replace("hostcast/", "healthz"))).headers["content-type"], "application/json");
  });
}

for (const name of Object.keys(SERVERS)) {
  const skip = program(name) ? false : `there is no ${name} here: run scripts/setup test`;

  for (const keepsPrefix of [true, false]) {
    const manner = { keepsPrefix, hasLogin: false };
    const title = `through ${name}, which ${keepsPrefix ? "keeps its prefix" : "takes its prefix away"}, one signs in and out`;
    test(title, { skip }, async (t) => {
      const tokens = new Tokens();
      const secret = tokens.add("wall");
      const base = keepsPrefix ? 'base_path = "/hostcast"\n' : "";
      const daemon = await daemonFor(t, { more: SETTINGS + base + tokens.settings });
      const { url } = await webServerFor(t, name, daemon.port, manner);
      const context = await (await theBrowser()).newContext({ ignoreHTTPSErrors: true });
      afterwards(t, () => context.close());
      const page = await context.newPage();
      await page.goto(url);
      await page.getByLabel("Token").fill(secret);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.waitForFunction(() => document.documentElement.dataset.state === "live");
      assert.equal(page.url(), url);
      const [cookie] = await context.cookies(url);
      // It is for nothing else on this name, and goes nowhere without TLS.
      assert.deepEqual([cookie.path, cookie.secure, cookie.httpOnly], ["/hostcast", true, true]);

      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByLabel("Token").waitFor();
      assert.equal(page.url(), url);
      assert.deepEqual(await context.cookies(url), []);

      const bare = await ask(url.replace(/\/$/, ""), false);
      assert.equal(bare.statusCode, 308);
      assert.match(bare.headers.location ?? "", /\/hostcast\/$/);
    });
  }

  test(`through ${name} it is the client who is counted and logged, whatever it says itself`, { skip }, async (t) => {
    const tokens = new Tokens();
    tokens.add("wall");
    const daemon = await daemonFor(t, { more: SETTINGS + tokens.settings });
    const { url } = await webServerFor(t, name, daemon.port, { hasLogin: false });
    const headers = { authorization: "Bearer hostcast_guess", "x-forwarded-for": "192.0.2.1", "x-forwarded-host": "evil.example" };
    const guess = async (/** @type {string} */ localAddress) =>
      (await ask(`${url}api/v1/samples`, false, { headers, localAddress })).statusCode;
    for (let count = 0; count < 10; count += 1) {
      assert.equal(await guess("127.0.0.5"), 401);
    }
    assert.equal(await guess("127.0.0.5"), 429);
    assert.equal(await guess("127.0.0.6"), 401, "another client of the same proxy");
    await until("both in the log", () => ["127.0.0.5", "127.0.0.6"].every((address) => daemon.log.includes(address)));
    assert.doesNotMatch(daemon.log, /192\.0\.2\.1/);
  });
}

test("without heartbeats nginx gives the stream up", { skip: !program("nginx") }, async (t) => {
  const daemon = await daemonFor(t, { ...RARELY, heartbeat: "30s" });
  const server = await webServerFor(t, "nginx", daemon.port);
  const visit = await visitFor(t, server.url, BROWSER);
  visit.expectOutage();
  await until("another stream", () => visit.streams.length > 1);
});
