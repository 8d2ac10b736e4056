/** A wire between browser and daemon that can be cut, unplugged and read. */

import net from "node:net";

/** @typedef {{ client: net.Socket, server: net.Socket }} Pair */

export class Proxy {
  /** Everything that the daemon sent, one text a connection. Binary bytes come through as latin1. @type {string[]} */
  received = [];
  #refusalsLeft = 0;
  #target;
  /** @type {Set<Pair>} */
  #pairs = new Set();
  /** @type {"open" | "cut" | "holding" | "unplugged"} */
  #state = "open";
  /** @type {((pair: Pair) => void) | null} */
  #onTorn = null;
  #listener = net.createServer((client) => this.#accept(client));

  /** @param {number} target  the daemon's port */
  constructor(target) {
    this.#target = target;
  }

  /** @param {number} target */
  static async start(target) {
    const proxy = new Proxy(target);
    await new Promise((resolve) => proxy.#listener.listen(0, "127.0.0.1", () => resolve(undefined)));
    return proxy;
  }

  get url() {
    const { port } = /** @type {net.AddressInfo} */ (this.#listener.address());
    return `http://127.0.0.1:${port}/`;
  }

  /**
   * Breaks every connection in the middle of the next frame that the daemon sends.
   * @param {number} refusals  so many attempts to connect fail before one is let through
   */
  async tear(refusals) {
    await new Promise((resolve) => {
      this.#onTorn = resolve;
    });
    this.#state = "cut";
    this.#refusalsLeft = refusals;
    this.#reset();
  }

  /** The cable is out: nothing arrives, in neither direction, and nobody is told. */
  unplug() {
    this.#state = "unplugged";
    for (const { client, server } of this.#pairs) {
      client.pause();
      server.pause();
    }
  }

  /** The page itself comes through, and who asks for the stream waits for an answer. */
  holdStreams() {
    this.#state = "holding";
  }

  /** Works again. What was on the wire when it broke is lost. */
  mend() {
    this.#state = "open";
    this.#reset();
  }

  close() {
    this.#listener.close();
    this.#reset();
  }

  /** Forgets what was received so far. */
  forget() {
    this.received.fill("");
  }

  #reset() {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    this.#pairs.clear();
  }

  /**
   * Only what wants to be a stream counts: the page also asks why it is not let in.
   * @param {net.Socket} client
   */
  #refuse(client) {
    client.once("data", (head) => {
      if (head.includes("/api/v1/stream")) {
        this.#refusalsLeft -= 1;
        this.#state = this.#refusalsLeft > 0 ? "cut" : "open";
      }
      client.resetAndDestroy();
    });
  }

  /** @param {net.Socket} client */
  #accept(client) {
    client.on("error", () => client.destroy());
    if (this.#state === "cut") {
      this.#refuse(client);
      return;
    }
    const server = net.connect(this.#target, "127.0.0.1");
    server.on("error", () => client.destroy());
    const pair = { client, server };
    this.#pairs.add(pair);
    const at = this.received.push("") - 1;
    client.on("data", (data) => {
      if (this.#state !== "holding" || !data.includes("GET /api/v1/stream")) {
        server.write(data);
      }
    });
    server.on("data", (data) => {
      this.received[at] += data.toString("latin1");
      const torn = this.#onTorn;
      this.#onTorn = null;
      client.write(torn ? data.subarray(0, Math.ceil(data.length / 2)) : data, () => torn?.(pair));
    });
    const over = () => {
      client.end();
      server.end();
      this.#pairs.delete(pair);
    };
    client.on("close", over);
    server.on("close", over);
    if (this.#state === "unplugged") {
      client.pause();
      server.pause();
    }
  }
}
