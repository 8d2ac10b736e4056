// Follows the stream, loses its connection, and goes on where it left off.
//
// usage: node follow.mjs ws://host:port/api/v1/stream <subprotocol> [<package with a WebSocket>]
//
// Prints the number of each sample, one a line, and ends after 60.

import assert from "node:assert/strict";

const [url, subprotocol, library] = process.argv.slice(2);
const WebSocket = library ? (await import(library)).default : globalThis.WebSocket;

function follow(url, subprotocol, seqs, count) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, [subprotocol]);
    let epoch;
    socket.onerror = (event) => reject(event.error ?? new Error("the connection broke"));
    socket.onmessage = (event) => {
      try {
        const message = JSON.parse(event.data);
        if (message.type === "hello") {
          assert.equal(socket.protocol, subprotocol);
          // Node's own offers compression only since version 22.
          assert.ok(!library || socket.extensions.includes("permessage-deflate"), socket.extensions);
          epoch = message.epoch;
        } else if (message.type === "history") {
          seqs.push(...message.samples.map((sample) => sample.seq));
        } else if (message.type === "sample") {
          seqs.push(message.seq);
        } else {
          assert.ok(["schema", "heartbeat", "notice"].includes(message.type), event.data);
        }
        if (seqs.length >= count) {
          socket.onmessage = null;
          socket.onclose = ({ code, wasClean }) => resolve({ epoch, code, wasClean });
          socket.close(1000);
        }
      } catch (error) {
        reject(error);
      }
    };
  });
}

const seqs = [];
const first = await follow(`${url}?history=all`, subprotocol, seqs, 10);
const second = await follow(`${url}?since=${first.epoch}:${seqs.at(-1)}`, subprotocol, seqs, 60);
assert.equal(second.epoch, first.epoch);
for (const { code, wasClean } of [first, second]) {
  // Node's own unpacks messages while others of its wait: it may see the end of the connection before the close.
  const isLate = !library && code === 1006;
  assert.ok(isLate || (code === 1000 && wasClean), `closed with ${code}`);
}
console.log(seqs.join("\n"));
