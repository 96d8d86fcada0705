"""How much do tasks wait for processors, memory and disks (PSI)?

Source: Documentation/accounting/psi.rst and Documentation/admin-guide/cgroup-v2.rst of Linux.
"""

import asyncio
import os
import select
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Pressure

RESOURCES = ("memory", "cpu", "io")
# A container's own root group is mounted there; the machine's says the same as /proc.
GROUPS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
MACHINE = Path("/proc/pressure")
TRIGGER = b"some 200000 2000000\0"  # microseconds of waiting in a window of 2 s, the shortest without privileges


def files_of(resource: str) -> list[Path]:
    """Where the kernel tells of it: nearest to this host first."""
    if resource not in RESOURCES:
        raise ProbeError(f"no pressure of {resource!r}; there is that of {', '.join(RESOURCES)}")
    places = [*(group / f"{resource}.pressure" for group in GROUPS), MACHINE / resource]
    return [place for place in places if place.exists()]


def parse(text: str) -> Pressure:
    """A pressure file; older kernels tell nothing of `full` for processors, which is then 0. Raises ValueError,
    KeyError."""
    lines = {words[0]: dict(word.split("=", 1) for word in words[1:]) for words in map(str.split, text.splitlines())}
    some, full = lines["some"], lines.get("full", {})
    return Pressure(
        some_avg10=float(some["avg10"]),
        some_avg60=float(some["avg60"]),
        full_avg10=float(full.get("avg10", 0)),
        full_avg60=float(full.get("avg60", 0)),
        some_total_s=int(some["total"]) / 1e6,
    )


def read(resource: str) -> Pressure:
    """Raises ProbeError: this kernel does not tell."""
    for place in files_of(resource):
        return read_group(place)
    raise ProbeError(f"this kernel does not measure the pressure of {resource}: no {MACHINE / resource}")


def read_group(file: Path) -> Pressure:
    """The pressure file of one control group, or of the machine. Raises ProbeError."""
    try:
        return parse(file.read_text(encoding="ascii"))
    except (OSError, ValueError, LookupError) as error:
        raise ProbeError(f"{file}: {error}") from error


class LocalPressureEvents:
    """A resource each time that tasks begin to wait for it too long; nothing at all where triggers cannot be had.

    A trigger says POLLPRI, which asyncio does not listen for: an epoll of our own does, and is itself readable then.
    """

    def __init__(self, resources: Iterable[str] = RESOURCES) -> None:
        self._heard: asyncio.Queue[str | None] = asyncio.Queue()
        self._ended = False
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._triggers: dict[int, str] = {}
        for resource in resources:
            if (trigger := _trigger(resource)) is not None:
                self._triggers[trigger] = resource
                self._epoll.register(trigger, select.EPOLLPRI)
        self._loop.add_reader(self._epoll.fileno(), self._hear)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        resource = None if self._ended else await self._heard.get()
        if resource is None:
            raise StopAsyncIteration
        return resource

    async def aclose(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        for trigger in self._triggers:
            os.close(trigger)
        self._heard.put_nowait(None)

    def _hear(self) -> None:
        for trigger, events in self._epoll.poll(0):
            if events & select.EPOLLERR:  # its control group is gone
                self._epoll.unregister(trigger)
            else:
                self._heard.put_nowait(self._triggers[trigger])


def _trigger(resource: str) -> int | None:
    """A descriptor on which the kernel signals pressure; None where this user gets none."""
    for place in files_of(resource):
        with suppress(OSError):
            trigger = os.open(place, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                os.write(trigger, TRIGGER)
            except OSError:
                os.close(trigger)
                continue
            return trigger
    return None
