"""Asks a URL again and again and prints each answer as a line of JSON: up and down as seen from outside.

Runs by itself on the hub (`python3 -c …`, standard library only). A slow answer delays no other: each question has its
own connection. Times are CLOCK_BOOTTIME in seconds, which all hosts of a bed share with whoever runs the test.
"""

import argparse
import asyncio
import json
import time
from urllib.parse import urlsplit


def now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


async def ask(url: str, timeout_s: float) -> tuple[int | None, str | None]:
    """The HTTP status, once the answer has been read to its end; or None and what went wrong."""
    parts = urlsplit(url)
    writer = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
            request = f"GET {parts.path or '/'} HTTP/1.0\r\nHost: {parts.hostname}\r\nConnection: close\r\n\r\n"
            writer.write(request.encode())
            answer = await reader.read()
        return int(answer.split(None, 2)[1]), None
    except (OSError, TimeoutError) as error:
        return None, type(error).__name__
    except (ValueError, IndexError):
        return None, "NotHttp"
    finally:
        if writer is not None:
            writer.transport.abort()


async def report(url: str, timeout_s: float) -> None:
    asked = now()
    status, error = await ask(url, timeout_s)
    print(json.dumps({"asked": asked, "answered": now(), "status": status, "error": error}), flush=True)


async def main(url: str, interval_s: float, timeout_s: float) -> None:
    """Asks every `interval_s` seconds, for ever."""
    async with asyncio.TaskGroup() as questions:
        due = time.monotonic()
        while True:
            questions.create_task(report(url, timeout_s))
            due = max(due + interval_s, time.monotonic())
            await asyncio.sleep(due - time.monotonic())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--interval-s", type=float, default=0.05)
    parser.add_argument("--timeout-s", type=float, default=0.25)
    args = parser.parse_args()
    asyncio.run(main(args.url, args.interval_s, args.timeout_s))
