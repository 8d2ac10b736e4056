/**
 * Keeps one subscription alive: connects, watches the heartbeat, comes back after a loss and
 * resumes where the store stands. It knows sockets and time, and nothing of what is drawn.
 */

import { Backoff } from "./backoff.js";
import { decode, PROTOCOL } from "./protocol.js";

/**
 * @typedef {import("./protocol.js").Message} Message
 * @typedef {{ phase: "connecting" | "live" | "reconnecting" | "ended", detail: string, remedy?: string }} Link
 *   `remedy` is what loading the page again does about an end
 *
 * What a connection needs of a WebSocket; a test gives its own.
 * @typedef {Pick<WebSocket, "onopen" | "onmessage" | "onclose" | "close">} Socket
 *
 * @typedef {object} Surroundings
 * @property {(url: string) => Socket} connect
 * @property {() => number} now  milliseconds, never going back
 * @property {(ms: number, then: () => void) => () => void} after  returns its own cancelling
 * @property {() => number} random
 * @property {() => boolean} isHidden  whether nobody can see the page
 * @property {() => Promise<number>} entrance  the status by which the server lets nobody in, 0 if it does or cannot
 *   be reached: a browser does not tell why a handshake failed
 */

const SIGNED_OUT = { detail: "access denied, the daemon asks for a token that it knows", remedy: "Sign in" };
const KEPT_OUT = { detail: "access denied, the daemon does not let this page read", remedy: "Try again" };

/** Codes by which the server says that trying again is no use: of HTTP, and of a close. */
const FINAL_CODES = new Map([
  [401, SIGNED_OUT],
  [403, KEPT_OUT],
  [404, { detail: "the daemon has no feed of the version that this page reads", remedy: "Reload" }],
  [1008, { detail: "the daemon refused this client", remedy: "Try again" }],
  [4401, SIGNED_OUT],
  [4403, KEPT_OUT],
]);

/** What a browser reports where a connection broke without a close. */
const ABNORMAL = 1006;

/** A handshake that has not succeeded by then is lost (a black-holed SYN takes minutes to fail). */
const CONNECT_TIMEOUT_MS = 10_000;

/** A connection that held this long was a good one: the next loss starts from short waits again. */
const STEADY_MS = 5_000;

/**
 * A page that nobody can see lets the daemon keep its samples so long, and then takes them at once: nearly all that a
 * message costs there is that the page wakes up for it.
 */
const NAP_MS = 30_000;
/** What the daemon has to hold for that: a browser may let a hidden page's timers run no more than once a minute. */
const HELD_FOR_NAPS_MS = 3 * 60_000;
/** Who looks at the page again sees it as soon as that is taken, and waits no longer than this: a few round trips. */
const CATCH_UP_MS = 2000;

/**
 * A browser does not show why a handshake failed. A refused resume position (400) looks like a
 * server that is away, so after this many failures the page asks for plain history once; the store
 * drops what it already has. Where that fails too, the server is away, and the position still holds.
 */
const RESUME_ATTEMPTS = 4;

/**
 * Relative to the page, so that a reverse proxy may serve it under any prefix.
 * @param {string} page  the page's own URL
 * @param {string | null} since  `<epoch>:<seq>`
 * @param {string} [wishes]  more of the query
 * @param {string} [past]  as much as the page holds; a daemon that keeps less sends what it has
 */
export function streamUrl(page, since, wishes = "", past = "1h") {
  const url = new URL("api/v1/stream", page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  // Not through searchParams: it would escape the colon, which the query grammar allows.
  url.search = (since === null ? `history=${past}` : `since=${since}`) + wishes;
  url.hash = "";
  return url.href;
}

export class Connection {
  #page;
  #wishes;
  #past;
  #resumeFrom;
  #onMessage;
  #onLink;
  #around;
  #backoff;

  /** @type {Socket | null} */
  #socket = null;
  #cancelTimer = () => {};
  #cancelNap = () => {};
  #waiting = false;
  #heardAt = 0;
  #openedAt = NaN;
  #silenceLimitMs = CONNECT_TIMEOUT_MS;
  /** How much of the past the daemon holds, as it said in its newest `hello`, and when that came. */
  #heldMs = 0;
  #toldAt = 0;
  #isWhole = false;
  /** Whether what came during a nap is still to be taken. */
  #isNapping = false;
  /** Since when somebody waits for that. */
  #wokeAt = -Infinity;
  /** Whether the daemon was asked once more how much it holds, since nobody sees the page. */
  #hasLooked = false;
  #resuming = false;
  #failedResumes = 0;
  /** @type {number | null} */
  #retryMs = null;

  /**
   * @param {object} wiring
   * @param {string} wiring.page
   * @param {string} [wiring.wishes]  more of the stream's query
   * @param {string} [wiring.past]  how much of the past to ask for
   * @param {() => string | null} wiring.resumeFrom
   * @param {(message: Message, text: string) => void} wiring.onMessage
   * @param {(link: Link) => void} wiring.onLink
   * @param {Surroundings} wiring.around
   */
  constructor({ page, wishes = "", past, resumeFrom, onMessage, onLink, around }) {
    this.#page = page;
    this.#wishes = wishes;
    this.#past = past;
    this.#resumeFrom = resumeFrom;
    this.#onMessage = onMessage;
    this.#onLink = onLink;
    this.#around = around;
    this.#backoff = new Backoff(around.random);
  }

  start() {
    this.#onLink({ phase: "connecting", detail: "" });
    this.#open();
  }

  /** The network came back, or somebody looks at the page again: do not sit out a wait. */
  wake() {
    this.#cancelNap();
    this.#hasLooked = false;
    if (this.#isNapping) {
      this.#wokeAt = this.#around.now();
    }
    if (this.#waiting) {
      this.#open();
    } else if (this.#socket) {
      this.#checkSilence(this.#socket);
    }
  }

  /** Nobody can see the page any more. What is not whole yet becomes so first. */
  rest() {
    if (!this.#socket || !this.#isWhole) {
      return;
    }
    this.#cancelNap();
    const lacksMs = HELD_FOR_NAPS_MS - this.#heldMs;
    if (lacksMs <= 0) {
      this.#giveUp();
      this.#waiting = true;
      this.#isNapping = true;
      this.#cancelNap = this.#around.after(NAP_MS, () => this.#open());
    } else if (!this.#hasLooked) {
      // It goes on listening. A daemon that has just begun will hold enough; one that keeps less is not asked again.
      const wait = Math.max(NAP_MS, lacksMs - (this.#around.now() - this.#toldAt));
      this.#cancelNap = this.#around.after(wait, () => {
        this.#hasLooked = true;
        this.#open();
      });
    }
  }

  /** Whether what came during a nap will be there in a moment: until then the page would look stale. */
  get isCatchingUp() {
    return this.#around.now() - this.#wokeAt < CATCH_UP_MS;
  }

  #open() {
    this.#cancelNap();
    this.#giveUp();
    this.#waiting = false;
    this.#isWhole = false;
    const since = this.#failedResumes < RESUME_ATTEMPTS ? this.#resumeFrom() : null;
    const socket = this.#around.connect(streamUrl(this.#page, since, this.#wishes, this.#past));
    this.#socket = socket;
    this.#resuming = since !== null;
    this.#heardAt = this.#around.now();
    this.#openedAt = NaN;
    this.#silenceLimitMs = CONNECT_TIMEOUT_MS;

    socket.onopen = () => {
      this.#openedAt = this.#around.now();
      this.#failedResumes = 0;
    };
    socket.onmessage = (event) => this.#take(String(event.data));
    socket.onclose = (event) => this.#lost(event.code, event.reason);
    this.#checkSilence(socket);
  }

  /** @param {string} text */
  #take(text) {
    this.#heardAt = this.#around.now();
    const message = decode(text);
    if (message.type === "hello" && message.protocol !== "" && message.protocol !== PROTOCOL) {
      this.#giveUp();
      const detail = `the daemon speaks ${message.protocol}, and this page ${PROTOCOL}`;
      this.#onLink({ phase: "ended", detail, remedy: "Reload" });
      return;
    }
    if (message.type === "hello") {
      this.#heldMs = message.heldMs;
      this.#toldAt = this.#heardAt;
      this.#retryMs = null;
    }
    if ((message.type === "hello" || message.type === "notice") && message.heartbeatMs !== null) {
      this.#silenceLimitMs = 2 * message.heartbeatMs;
      if (this.#socket) {
        this.#checkSilence(this.#socket);
      }
    } else if (message.type === "bye") {
      this.#retryMs = message.retryMs;
    }
    this.#onMessage(message, text);
    // Not before the past is complete: until then the newest sample looks old.
    if (message.type === "history" && message.complete) {
      this.#isWhole = true;
      this.#isNapping = false;
      this.#wokeAt = -Infinity;
      this.#onLink({ phase: "live", detail: "" });
      if (this.#around.isHidden()) {
        this.rest();
      }
    }
  }

  /**
   * Gives up a socket that has been silent for too long, or looks again when it could be.
   * @param {Socket} socket
   */
  #checkSilence(socket) {
    this.#cancelTimer();
    const left = this.#heardAt + this.#silenceLimitMs - this.#around.now();
    if (left > 0) {
      this.#cancelTimer = this.#around.after(left, () => this.#checkSilence(socket));
      return;
    }
    // Its close event may be a minute away when the peer is gone: treat it as closed now.
    this.#giveUp();
    this.#lost(ABNORMAL, "");
  }

  #giveUp() {
    this.#cancelTimer();
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #lost(code, reason) {
    this.#cancelTimer();
    this.#socket = null;
    this.#isWhole = false;
    this.#isNapping = false;
    this.#wokeAt = -Infinity;
    const final = FINAL_CODES.get(code);
    if (final) {
      this.#onLink({ phase: "ended", ...final });
      return;
    }
    if (Number.isNaN(this.#openedAt)) {
      this.#failedResumes = this.#resuming ? this.#failedResumes + 1 : 0;
      this.#askWhy();
    }
    if (this.#around.now() - this.#openedAt >= STEADY_MS) {
      this.#backoff.reset();
    }
    const wait = this.#backoff.next(this.#retryMs);
    this.#waiting = true;
    this.#onLink({ phase: "reconnecting", detail: reason });
    this.#cancelTimer = this.#around.after(wait, () => this.#open());
  }

  async #askWhy() {
    const final = FINAL_CODES.get(await this.#around.entrance());
    if (final && this.#waiting) {
      this.#cancelTimer();
      this.#waiting = false;
      this.#onLink({ phase: "ended", ...final });
    }
  }
}
