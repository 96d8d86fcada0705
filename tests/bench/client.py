"""Asks a URL at a steady pace, each question on its own connection, and prints a line for each answer.

Runs by itself on the hub (`python3 -c …`, standard library only), and is leaner than the bed's own client, so that
asking every few milliseconds takes little from what is measured. A line is: asked, answered (CLOCK_BOOTTIME, seconds),
status (0 for none). Every answer is read to its end before it counts.
"""

import asyncio
import socket
import sys
import time
from urllib.parse import urlsplit


def now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


async def ask(address: tuple[str, int], request: bytes, timeout_s: float) -> int:
    """The HTTP status; 0 when none came in time."""
    loop = asyncio.get_running_loop()
    answer = b""
    with socket.socket() as connection:
        connection.setblocking(False)
        try:
            async with asyncio.timeout(timeout_s):
                await loop.sock_connect(connection, address)
                await loop.sock_sendall(connection, request)
                while chunk := await loop.sock_recv(connection, 65536):
                    answer += chunk
        except (OSError, TimeoutError):
            return 0
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.") else 0


async def main(url: str, interval_s: float, timeout_s: float) -> None:
    """Asks every `interval_s` seconds, for ever; a slow answer delays no other question."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 80)
    request = f"GET / HTTP/1.0\r\nHost: {address[0]}\r\nConnection: close\r\n\r\n".encode()

    async def report() -> None:
        asked = now()
        status = await ask(address, request, timeout_s)
        sys.stdout.write(f"{asked:.6f} {now():.6f} {status}\n")
        sys.stdout.flush()

    async with asyncio.TaskGroup() as questions:
        due = time.monotonic()
        while True:
            questions.create_task(report())
            due = max(due + interval_s, time.monotonic())
            await asyncio.sleep(due - time.monotonic())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
