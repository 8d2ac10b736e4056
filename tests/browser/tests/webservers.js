/** The dashboard and the feed through nginx and Caddy, set up as packaging/proxy/ says. */

import assert from "node:assert/strict";
import https from "node:https";
import test from "node:test";
import { afterwards, daemonFor, visitFor } from "../harness/scene.js";
import { LOGIN, NAME, SETTINGS, WebServer, program } from "../harness/webserver.js";
import { until } from "../harness/until.js";

/** Less than the time between two samples, so that only heartbeats keep a stream from being silent for so long. */
const SILENCE = "2s";
const RARELY = { interval: "3s", heartbeat: "1s", more: SETTINGS };
const BROWSER = { ignoreHTTPSErrors: true, httpCredentials: LOGIN };

/** @type {Record<string, (port: number) => Promise<WebServer>>} */
const SERVERS = {
  nginx: (port) => WebServer.nginx(port, SILENCE),
  caddy: (port) => WebServer.caddy(port),
};

/**
 * @param {import("node:test").TestContext} t
 * @param {string} name
 * @param {number} port
 */
async function webServerFor(t, name, port) {
  const server = await SERVERS[name](port);
  afterwards(t, () => server.close());
  return server;
}

/**
 * Asks as a program does.
 * @param {string} url
 * @param {boolean} [withLogin]
 * @returns {Promise<import("node:http").IncomingMessage>}
 */
function ask(url, withLogin = true) {
  const auth = withLogin ? `${LOGIN.username}:${LOGIN.password}` : undefined;
  const { port } = new URL(url);
  return new Promise((resolve, reject) => {
    const headers = { host: `${NAME}:${port}` };
    https
      .get(url.replace(NAME, "127.0.0.1"), { auth, headers, rejectUnauthorized: false, agent: false }, resolve)
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

test("without heartbeats nginx gives the stream up", { skip: !program("nginx") }, async (t) => {
  const daemon = await daemonFor(t, { ...RARELY, heartbeat: "30s" });
  const server = await webServerFor(t, "nginx", daemon.port);
  const visit = await visitFor(t, server.url, BROWSER);
  visit.expectOutage();
  await until("another stream", () => visit.streams.length > 1);
});
