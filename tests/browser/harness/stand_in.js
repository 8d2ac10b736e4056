/**
 * In place of a daemon of a version that does not exist yet, or is not built here any more: it says what such a one
 * would, and nothing else. Everything that can be had of the real daemon is tested with that.
 */

import { createHash } from "node:crypto";
import { createServer } from "node:http";

/** RFC 6455, section 1.3. */
const ACCEPTED = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/**
 * Speaks to a stream's newcomers; what else is asked for is not found there.
 * @param {number} port
 * @param {object[] | null} messages  what each is told, null where there is no stream either
 * @returns {Promise<() => Promise<void>>} ends it
 */
export async function standIn(port, messages) {
  /** @type {Set<import("node:stream").Duplex>} */
  const sockets = new Set();
  const server = createServer((_, answer) => answer.writeHead(404).end());
  server.on("upgrade", ({ headers }, socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    if (messages === null) {
      socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
      return;
    }
    const accept = createHash("sha1").update(`${headers["sec-websocket-key"]}${ACCEPTED}`).digest("base64");
    const head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
    head.push(`Sec-WebSocket-Accept: ${accept}`, `Sec-WebSocket-Protocol: ${headers["sec-websocket-protocol"]}`);
    socket.write(`${head.join("\r\n")}\r\n\r\n`);
    messages.forEach((message) => socket.write(frame(JSON.stringify(message))));
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(undefined)));
  return async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    sockets.forEach((socket) => socket.destroy());
    await closed;
  };
}

/** A text of less than 64 KiB, as a server sends it. @param {string} text */
function frame(text) {
  const payload = Buffer.from(text);
  const { length } = payload;
  const head = length < 126 ? [0x81, length] : [0x81, 126, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), payload]);
}
