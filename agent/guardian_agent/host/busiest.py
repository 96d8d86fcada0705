"""Which processes take most of this host?"""

import asyncio
import os
import resource
from pathlib import Path

from guardian_agent.host import ProcessUse

OVER_S = 0.5  # the moment over which the use of the processor is measured
MOST_ARGV_BYTES = 4096
_TICKS = os.sysconf("SC_CLK_TCK")
_Used = dict[tuple[int, bytes], tuple[int, int]]  # by pid and start time: clock ticks of CPU, and resident pages


async def busiest(most: int) -> list[ProcessUse]:
    """The processes that take most of the processor, and those that take most of the memory, `most` of each; the
    greediest first. Source: proc_pid_stat(5)."""
    before = await asyncio.to_thread(_used)
    await asyncio.sleep(OVER_S)
    return await asyncio.to_thread(_greediest, before, most)


def _greediest(before: _Used, most: int) -> list[ProcessUse]:
    now = _used()
    ticks = {one: used[0] - before.get(one, used)[0] for one, used in now.items()}
    by_cpu = sorted(now, key=lambda one: (ticks[one], now[one][1]), reverse=True)[:most]
    by_memory = sorted(now, key=lambda one: now[one][1], reverse=True)[:most]
    shown = [_use(pid, ticks[pid, start], now[pid, start][1]) for pid, start in dict.fromkeys(by_cpu + by_memory)]
    return [use for use in shown if use is not None]


def _used() -> _Used:
    found: _Used = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - thousands of Path objects for nothing
        if name.isdecimal() and (fields := _stat(int(name))):
            found[int(name), fields[19]] = (int(fields[11]) + int(fields[12]), int(fields[21]))
    return found


def _stat(pid: int) -> list[bytes]:
    """The fields behind the name, which may contain anything."""
    text = _bytes(pid, "stat")
    return text[text.rindex(b")") + 2 :].split() if b")" in text else []


def _use(pid: int, ticks: int, pages: int) -> ProcessUse | None:
    fields = _stat(pid)
    if not fields:  # it has ended
        return None
    words = _bytes(pid, "cmdline")[:MOST_ARGV_BYTES].rstrip(b"\0").split(b"\0")
    return ProcessUse(
        pid=pid,
        name=_bytes(pid, "comm").decode(errors="replace").strip(),
        argv=tuple(word.decode(errors="replace") for word in words if words != [b""]),
        status=fields[0].decode("ascii"),
        cpu_percent=round(100 * ticks / _TICKS / OVER_S, 1),
        resident_bytes=pages * resource.getpagesize(),
    )


def _bytes(pid: int, file: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:  # it has ended, or is not ours to see
        return b""
