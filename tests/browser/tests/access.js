/** Who may see what, and a page that outlives the daemon it came from: no state of these looks like a broken page. */

import assert from "node:assert/strict";
import test from "node:test";
import { axeViolations } from "../harness/axe.js";
import { Visit } from "../harness/browser.js";
import { afterwards, daemonFor, proxyFor, visitFor } from "../harness/scene.js";
import { standIn } from "../harness/stand_in.js";
import { Tokens } from "../harness/tokens.js";
import { until } from "../harness/until.js";

/**
 * The page of somebody who has just signed in.
 * @param {import("node:test").TestContext} t
 * @param {string} url
 * @param {string} token
 */
async function signedIn(t, url, token) {
  const visit = await Visit.open(url, { colorScheme: "dark" });
  afterwards(t, () => visit.close());
  await visit.page.getByLabel("Token").fill(token);
  await visit.page.getByRole("button", { name: "Sign in" }).click();
  await visit.reaches("live");
  await visit.holdsSamples(2);
  expectOnly401(visit);
  return visit;
}

/** The page for signing in comes with the answer 401, and the browser tells the console so. @param {Visit} visit */
function expectOnly401(visit) {
  assert.deepEqual(visit.takeComplaints().filter((complaint) => !/status of 401/.test(complaint)), []);
}

/** @param {Visit} visit */
const banner = (visit) => visit.page.locator("#banner-text").innerText();

/**
 * @param {import("../harness/browser.js").Visit} visit
 * @param {RegExp} why
 */
async function expectEnd(visit, why) {
  await visit.reaches("ended");
  assert.match(await banner(visit), why);
  assert.equal(await visit.page.locator("#state-text").innerText(), "Ended");
  assert.deepEqual(await axeViolations(visit.page), []);
  const { length } = visit.streams;
  await visit.page.evaluate(() => dispatchEvent(new Event("online")));
  assert.equal(visit.streams.length, length, "nobody asks again where the answer is known");
}

test("who is not signed in gets a page that asks for a token, which everyone can use, and no stream", async (t) => {
  const tokens = new Tokens();
  tokens.add("wall");
  const daemon = await daemonFor(t, { more: tokens.settings });
  for (const [colorScheme, width] of /** @type {const} */ ([["light", 1280], ["dark", 360]])) {
    const visit = await Visit.open(daemon.url, { colorScheme, viewport: { width, height: 700 } });
    afterwards(t, () => visit.close());
    await visit.page.getByLabel("Token").waitFor();
    assert.deepEqual(await axeViolations(visit.page), []);
    assert.equal(await visit.page.evaluate(() => document.documentElement.scrollWidth), width);
    await visit.page.keyboard.type("hostcast_guess");
    await visit.page.keyboard.press("Enter");
    await visit.page.getByText("This token is not known here.").waitFor();
    assert.deepEqual(await axeViolations(visit.page), [], "with what went wrong");
    assert.equal(visit.streams.length, 0);
    expectOnly401(visit);
  }
});

test("a token that is revoked ends the stream of who watches, in words, and the way leads to another token", async (t) => {
  const tokens = new Tokens();
  const token = tokens.add("wall");
  const daemon = await daemonFor(t, { more: tokens.settings });
  const visit = await signedIn(t, daemon.url, token);
  visit.expectOutage();
  tokens.revoke("wall");
  daemon.signal("SIGHUP");
  await expectEnd(visit, /^The stream has ended: access denied, the daemon asks for a token that it knows\.$/);
  assert.equal(visit.streams.length, 1, "the stream itself was told so");
  await visit.page.locator("#open-drawer").click();
  await visit.page.getByText("does not know this page's token any more").waitFor();
  await visit.page.keyboard.press("Escape");
  await visit.page.getByRole("button", { name: "Sign in" }).click();
  await visit.page.getByLabel("Token").waitFor();
});

test("a token that was revoked while the daemon was away is told when it is back", async (t) => {
  const tokens = new Tokens();
  const token = tokens.add("wall");
  const daemon = await daemonFor(t, { more: tokens.settings });
  const visit = await signedIn(t, daemon.url, token);
  visit.expectOutage();
  await daemon.kill();
  await visit.reaches("reconnecting");
  tokens.revoke("wall");
  await daemonFor(t, { port: daemon.port, more: tokens.settings });
  await expectEnd(visit, /access denied, the daemon asks for a token/);
});

test("a token that may read and no more shows all samples, is not taken for a refusal, and the drawer says what it lacks", async (t) => {
  const tokens = new Tokens();
  const [reader, admin] = [tokens.add("wall"), tokens.add("admin", "read", "status")];
  const daemon = await daemonFor(t, { interval: "100ms", more: tokens.settings });
  const proxy = await proxyFor(t, daemon);
  const visit = await signedIn(t, proxy.url, reader);
  visit.expectOutage();
  await visit.page.locator("#open-drawer").click();
  const drawer = visit.page.locator("#drawer");
  await drawer.getByText("may read the samples, and not what the daemon tells of itself").waitFor();
  assert.deepEqual(await axeViolations(visit.page), []);
  await visit.page.keyboard.press("Escape");

  // A handshake that fails, and the page asks why: the answer is about samples, not about the status.
  const { samples } = await visit.facts();
  await proxy.tear(2);
  await visit.holdsSamples(samples + 5);
  await visit.reaches("live");

  const other = await signedIn(t, daemon.url, admin);
  await other.page.locator("#open-drawer").click();
  await other.page.locator("#drawer").getByText("Configuration in force").waitFor();
});

/**
 * A page whose daemon goes, and something else comes to its address.
 * @param {import("node:test").TestContext} t
 */
async function outlived(t) {
  const daemon = await daemonFor(t);
  const visit = await visitFor(t, daemon.url);
  assert.equal(await visit.page.locator("#banner").isVisible(), false);
  const [hello] = visit.stream.messages;
  visit.expectOutage();
  await daemon.kill();
  return { visit, port: daemon.port, hello };
}

const PAST = { type: "history", samples: [], complete: true };

test("a daemon of another version than the page is named, and whether it is newer (a stand-in says the versions)", async (t) => {
  const { visit, port, hello } = await outlived(t);
  const version = String(hello.server).split("/")[1];
  for (const [other, word] of [["9.9.9", "newer"], ["0.0.1", "older"]]) {
    const end = await standIn(port, [{ ...hello, server: `hostcast/${other}` }, PAST]);
    try {
      await until(`the word ${word}`, async () => (await banner(visit)) === `The daemon, ${other}, is ${word} than this page, ${version}.`);
      assert.notEqual((await visit.facts()).state, "ended", "it is listened to all the same");
      assert.equal(await visit.page.locator("#banner-action").innerText(), "Reload");
      assert.deepEqual(await axeViolations(visit.page), []);
    } finally {
      await end();
    }
  }
});

test("a daemon that speaks another protocol is not guessed at (a stand-in says hostcast.v2)", async (t) => {
  const { visit, port, hello } = await outlived(t);
  afterwards(t, await standIn(port, [{ ...hello, protocol: "hostcast.v2", epoch: { of: "another kind" } }, PAST]));
  await expectEnd(visit, /^The stream has ended: the daemon speaks hostcast\.v2, and this page hostcast\.v1\.$/);
  assert.equal(await visit.page.locator("#banner-action").innerText(), "Reload");
});

test("where there is no feed of this version any more, the page says so (a stand-in answers 404)", async (t) => {
  const { visit, port } = await outlived(t);
  afterwards(t, await standIn(port, null));
  await expectEnd(visit, /no feed of the version that this page reads/);
  assert.equal(await visit.page.locator("#banner-action").innerText(), "Reload");
});
