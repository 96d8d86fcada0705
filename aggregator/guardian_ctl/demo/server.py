"""The demo's component: a small HTTP server that can be told to stop listening without ending.

It is started by its path and needs the standard library only, so that a restart takes as little as Python allows.
"""

import asyncio
import os
import signal
import sys
from http import HTTPStatus

REQUEST_WITHIN_S = 5.0


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request, one answer: who is speaking."""
    try:
        async with asyncio.timeout(REQUEST_WITHIN_S):
            request = await reader.readuntil(b"\r\n\r\n")
            good = request.startswith((b"GET ", b"HEAD "))
            status = HTTPStatus.OK if good else HTTPStatus.METHOD_NOT_ALLOWED
            body = f"process {os.getpid()} of the demo's component\n".encode() if request.startswith(b"GET ") else b""
            head = f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
            await writer.drain()
    except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # whoever asked is gone, or is no HTTP client
    finally:
        writer.close()


async def serve(host: str, port: int) -> None:
    """Serves until killed; at SIGUSR1 it lets go of the port and stays."""
    server = await asyncio.start_server(answer, host, port)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, server.close)
    print(f"process {os.getpid()} listens on {host}:{port}", flush=True)  # noqa: T201 (its log)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
