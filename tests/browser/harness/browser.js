/** The browser, started once a run, and a page of it that notices everything that should not happen. */

import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import "./scratch.js";
import { PATIENCE_MS } from "./until.js";

export const PROGRAM = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // As a name server would say it that an attacker runs.
  "--host-resolver-rules=MAP rebound.example 127.0.0.1, MAP monitor.example.com 127.0.0.1",
];

/** What the browser itself writes when nobody answers; the page cannot prevent it. */
const NOBODY_ANSWERS = /^(WebSocket connection to '[^']+' failed: |Failed to load resource: )/;

/** @type {Promise<import("playwright-core").Browser> | null} */
let browser = null;

export function theBrowser() {
  return (browser ??= chromium.launch({
    executablePath: PROGRAM,
    args: FLAGS,
    // Its parent cleans up, after everything else has ended.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  }));
}

export async function closeBrowser() {
  await (await browser)?.close();
  browser = null;
}

/** @typedef {{ type: string, seq?: number, [field: string]: any }} Message */

export class Visit {
  /**
   * Every stream that the page opened, oldest first.
   * @type {{ url: URL, texts: string[], messages: Message[], isClosed: boolean }[]}
   */
  streams = [];
  /** @type {import("playwright-core").Page} */
  page;

  /** @type {string[]} */
  #complaints = [];
  #outage = false;
  /** Whose pages may be asked, too; "*" for anyone's. @type {string[]} */
  #foreign = [];
  #context;
  #origin;

  /**
   * @param {import("playwright-core").BrowserContext} context
   * @param {import("playwright-core").Page} page
   * @param {string} url
   */
  constructor(context, page, url) {
    this.#context = context;
    this.#origin = new URL(url).origin;
    this.page = page;
    page.setDefaultTimeout(PATIENCE_MS);
    page.on("console", (message) => {
      const text = message.text();
      if (message.type() === "error" && !(this.#outage && NOBODY_ANSWERS.test(text))) {
        this.#complaints.push(`console: ${text}`);
      }
    });
    page.on("pageerror", (error) => this.#complaints.push(`uncaught: ${error.stack ?? error}`));
    page.on("request", (request) => this.#expectOwn(request.url()));
    page.on("websocket", (socket) => {
      this.#expectOwn(socket.url().replace(/^ws/, "http"));
      const url = new URL(socket.url());
      const stream = { url, texts: /** @type {string[]} */ ([]), messages: /** @type {Message[]} */ ([]), isClosed: false };
      this.streams.push(stream);
      socket.on("close", () => (stream.isClosed = true));
      socket.on("framereceived", ({ payload }) => {
        stream.texts.push(String(payload));
        stream.messages.push(JSON.parse(String(payload)));
      });
    });
  }

  /**
   * Opens the dashboard in a profile of its own.
   * @param {string} url
   * @param {import("playwright-core").BrowserContextOptions} [options]
   */
  static async open(url, options = {}) {
    const context = await (await theBrowser()).newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    const visit = new Visit(context, page, url);
    await page.exposeFunction("reportViolation", (/** @type {string} */ text) => {
      visit.#complaints.push(`content security policy: ${text}`);
    });
    await page.addInitScript(countDrawings);
    await page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        // @ts-ignore: exposed above
        window.reportViolation(`${event.effectiveDirective} refuses ${event.blockedURI}`);
      });
    });
    await page.goto(url);
    return visit;
  }

  /** From here on the browser may complain that nobody answers: the test sees to it. */
  expectOutage() {
    this.#outage = true;
  }

  /**
   * Another server is part of the test.
   * @param {string} [origin]
   */
  expectForeign(origin = "*") {
    this.#foreign.push(origin);
    this.#complaints = this.#complaints.filter((complaint) => !complaint.startsWith(`fetched from elsewhere: ${origin.replace("*", "")}`));
  }

  /** What went wrong so far; each is told once. */
  takeComplaints() {
    return this.#complaints.splice(0);
  }

  /** Closes the page, and fails where it did anything that it should not. */
  async close() {
    await this.#context.close();
    assert.deepEqual(this.takeComplaints(), [], "the page has complaints");
  }

  /** The newest stream. */
  get stream() {
    const stream = this.streams[this.streams.length - 1];
    assert.ok(stream, "the page has opened no stream");
    return stream;
  }

  /** The samples that came over all streams of one epoch, in the order they came. */
  samples(epoch = this.streams[0].messages[0].epoch) {
    return this.streams
      .filter(({ messages }) => messages[0]?.epoch === epoch)
      .flatMap(({ messages }) => messages)
      .flatMap((message) =>
        message.type === "history" ? message.samples : message.type === "sample" ? [message] : [],
      );
  }

  /** How many gaps are the daemon's own, which a busy host may make it have: ticks that it came too late for. */
  get missedTicks() {
    return this.samples().filter(({ missed }) => missed).length;
  }

  /** What the page says of its position. */
  async facts() {
    return this.page.evaluate(() => {
      const { state, epoch, lastSeq, samples, gaps } = document.documentElement.dataset;
      return { state, epoch, lastSeq: Number(lastSeq), samples: Number(samples), gaps: Number(gaps) };
    });
  }

  /** @param {string} state */
  async reaches(state) {
    await this.page.waitForFunction((wanted) => document.documentElement.dataset.state === wanted, state);
  }

  /** @param {number} count */
  async holdsSamples(count) {
    await this.page.waitForFunction((wanted) => Number(document.documentElement.dataset.samples) >= wanted, count);
  }

  /** @param {number} count */
  async takesMoreSamples(count) {
    await this.holdsSamples((await this.facts()).samples + count);
  }

  /** @param {number} count */
  async countsGaps(count) {
    await this.page.waitForFunction((wanted) => Number(document.documentElement.dataset.gaps) >= wanted, count);
  }

  /**
   * A tile as a person reads it, and the figure behind it.
   * @param {string} id
   */
  async tile(id) {
    return this.page.evaluate((testid) => {
      const tile = document.querySelector(`[data-testid="${testid}"]`);
      const value = /** @type {HTMLElement | null | undefined} */ (tile?.querySelector(".tile-value"));
      return {
        text: tile?.querySelector(".tile-figure")?.textContent ?? "",
        value: value?.dataset.value ? Number(value.dataset.value) : NaN,
      };
    }, `tile-${id}`);
  }

  /**
   * As when another tab is in front: nobody can see the page. Chromium without a screen has no tabs in front of
   * others, so the page is told what it would be told.
   * @param {boolean} hidden
   */
  async hide(hidden) {
    await this.page.evaluate(hide, hidden);
  }

  /** How often anything was drawn on a canvas so far. */
  async drawings() {
    return this.page.evaluate(() => /** @type {any} */ (window).drawings);
  }

  /** @param {string} name  of a button for the time shown */
  async chooseWindow(name) {
    await this.page.getByRole("radio", { name, exact: true }).check();
  }

  #expectOwn = (/** @type {string} */ url) => {
    const { origin } = new URL(url);
    if (origin !== this.#origin && !this.#foreign.includes(origin) && !this.#foreign.includes("*")) {
      this.#complaints.push(`fetched from elsewhere: ${url}`);
    }
  };
}

/**
 * In the page: what it is told when another tab comes in front of it, or goes. Chromium without a screen has no tabs
 * in front of others.
 * @param {boolean} value
 */
export function hide(value) {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
  Object.defineProperty(document, "visibilityState", { configurable: true, get: () => (value ? "hidden" : "visible") });
  document.dispatchEvent(new Event("visibilitychange"));
}

/** In the page: `window.drawings` counts what is drawn on canvases from here on. */
export function countDrawings() {
  const told = /** @type {any} */ (window);
  told.drawings = 0;
  const clear = CanvasRenderingContext2D.prototype.clearRect;
  CanvasRenderingContext2D.prototype.clearRect = function (...args) {
    told.drawings += 1;
    return clear.apply(this, args);
  };
}
