"""Follows a daemon and prints a line for each sample: python3 follow.py ws://127.0.0.1:7117

Needs the package websockets. After a loss it resumes where it stood; what could not be had any more is a gap."""

import asyncio, json, random, sys
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

STREAM = (sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:7117") + "/api/v1/stream"


async def follow():
    start, epoch, failures = "history=all", None, 0
    while True:
        try:
            async with connect(f"{STREAM}?{start}&metrics=system.cpu.utilization") as socket:
                async for text in socket:
                    message = json.loads(text)
                    if message["type"] == "hello":
                        epoch = message["epoch"]
                    elif message["type"] == "gap":
                        print("missing:", message, flush=True)
                    for sample in message.get("samples", [message] if message["type"] == "sample" else []):
                        print(sample["seq"], sample["values"].get("system.cpu.utilization"), flush=True)
                        # Only now: a position is one of a sample that was dealt with.
                        start, failures = f"since={epoch}:{sample['seq']}", 0
        except (OSError, WebSocketException) as error:
            print("lost:", error, file=sys.stderr)
        # Longer each time, and random, so that a thousand clients do not come back as one.
        await asyncio.sleep(random.uniform(0, min(60, 2**failures)))
        failures += 1


asyncio.run(follow())
