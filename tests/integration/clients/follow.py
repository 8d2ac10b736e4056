"""Follows the stream, loses its connection, and goes on where it left off.

usage: follow.py ws://host:port/api/v1/stream <subprotocol>

Prints the number of each sample, one a line, and ends after 60.
"""

import asyncio
import json
import sys

import websockets


async def follow(url, subprotocol, seqs, count):
    async with websockets.connect(url, subprotocols=[subprotocol]) as socket:
        assert socket.subprotocol == subprotocol, socket.subprotocol
        extensions = [extension.name for extension in socket.protocol.extensions]
        assert extensions == ["permessage-deflate"], extensions
        hello = json.loads(await socket.recv())
        assert hello["type"] == "hello", hello
        while len(seqs) < count:
            message = json.loads(await socket.recv())
            if message["type"] == "history":
                seqs.extend(sample["seq"] for sample in message["samples"])
            elif message["type"] == "sample":
                seqs.append(message["seq"])
            else:
                assert message["type"] in ("schema", "heartbeat", "notice"), message
        pong = await socket.ping("still there?")
        await pong
    assert socket.close_code == 1000, socket.close_code
    return hello["epoch"]


async def main(url, subprotocol):
    seqs = []
    epoch = await follow(url + "?history=all", subprotocol, seqs, 10)
    resumed = await follow(f"{url}?since={epoch}:{seqs[-1]}", subprotocol, seqs, 60)
    assert resumed == epoch
    print(*seqs, sep="\n")


asyncio.run(main(*sys.argv[1:]))
