"""A server that is not ours: streams a few samples, compressed, to whoever offers that.

Prints its port, and then the extensions that were agreed on.
"""

import asyncio
import json

from websockets.asyncio.server import serve

EPOCH = "00000000000000ff"
SERIES = [{"id": f"a.rather.long.name.{n}", "name": "a", "unit": "1", "attributes": {}} for n in range(50)]


def sample(seq):
    return {"seq": seq, "time": seq * 1000, "elapsed_ms": 1000, "values": [seq + n / 100 for n in range(50)]}


async def stream(socket):
    print([extension.name for extension in socket.protocol.extensions], flush=True)
    host = {"name": "x", "os": "x", "kernel": "x", "cpus": 1, "boot_id": "x", "labels": {}}
    hello = {"protocol": "hostcast.v1", "server": "other/1", "host": host, "epoch": EPOCH, "interval_ms": 1000}
    messages = [
        {"type": "hello", **hello, "oldest_seq": 1, "next_seq": 31, "heartbeat_ms": 1000},
        {"type": "schema", "revision": 1, "series": SERIES},
        {"type": "history", "samples": [sample(seq) for seq in range(1, 31)], "complete": True},
    ]
    for message in messages + [{"type": "sample", **sample(seq)} for seq in range(31, 61)]:
        text = json.dumps(message)
        # In one frame, or in several.
        await socket.send(text if message["type"] == "sample" else [text[:100], text[100:]])
    await socket.wait_closed()


async def main():
    async with serve(stream, "127.0.0.1", 0, subprotocols=["hostcast.v1.compact"]) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
