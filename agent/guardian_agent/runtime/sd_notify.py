"""Tells systemd how the agent is (sd_notify(3)): ready, reloading, stopping, and alive as long as work advances."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)


class Notifier:
    """A sender to systemd's socket; without an `address` (not a service) everything is a no-op.

    Args:
        address: `NOTIFY_SOCKET`: a path, or `@name` in the abstract namespace.
        watchdog_s: how long systemd waits for a sign of life before it kills; None: it does not watch.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        self._address = f"\0{address[1:]}" if address and address[0] == "@" else address
        self._socket: socket.socket | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Notifier":
        """As systemd asks for by NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID."""
        address = environment.get("NOTIFY_SOCKET") or None
        usec = environment.get("WATCHDOG_USEC", "")
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watched = address is not None and mine and usec.isdecimal() and int(usec) > 0
        return cls(address, int(usec) / 1e6 if watched else None)

    def ready(self, status: str = "") -> None:
        """The agent works; also the end of a reload."""
        self._send("READY=1", *([f"STATUS={_one_line(status)}"] if status else []))

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={_one_line(text)}")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` ends it. The time is what `Type=notify-reload` compares."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    async def keep_alive(self, progress: Callable[[], int], stopping: asyncio.Event) -> None:
        """Says `alive` three times per watchdog interval, but only when `progress()` has grown since it was last said.

        A loop that runs while its work is stuck is not alive. Until `stopping`; without a watchdog it just waits.
        """
        if self.watchdog_s is None:
            await stopping.wait()
            return
        last = progress() - 1
        while not stopping.is_set():
            if (now := progress()) > last:
                self.alive()
                last = now
            try:
                async with asyncio.timeout(self.watchdog_s / 3):
                    await stopping.wait()
            except TimeoutError:
                pass

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                self._socket.setblocking(False)
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.warning("systemd was not told %s: %s", lines[0], error)


def _one_line(text: str) -> str:
    return " ".join(text.split())
