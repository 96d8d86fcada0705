"""What the kernel of this machine counts."""

import asyncio
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from guardian_agent.errors import ProbeError
from guardian_agent.host import Memory, Pressure, PressureEvents, Tasks, UnitLoad, adjtimex, loads, pressure

PROC = Path("/proc")
COUNTERS = (PROC / "net" / "snmp", PROC / "net" / "netstat")
SYSCTLS = PROC / "sys"
_SYSCTL = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_/:@-]+)*")
_DOTS_AND_SLASHES = str.maketrans("./", "/.")  # as sysctl(8) has it: net.ipv4.conf.eth0/100.forwarding


class LocalKernel:
    """Reads /proc and /sys, where nothing waits for a disk."""

    async def pressure(self, resource: str) -> Pressure:
        return pressure.read(resource)

    def pressure_events(self) -> PressureEvents:
        return pressure.LocalPressureEvents()

    async def memory(self) -> Memory:
        """Source: proc_meminfo(5); in a container lxcfs may answer for its own share."""
        lines = (line.split() for line in _lines(PROC / "meminfo"))
        kibibytes = {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) > 1 and words[1].isdecimal()}
        try:
            return Memory(
                total_bytes=kibibytes["MemTotal"] * 1024,
                available_bytes=kibibytes["MemAvailable"] * 1024,
                swap_total_bytes=kibibytes.get("SwapTotal", 0) * 1024,
                swap_free_bytes=kibibytes.get("SwapFree", 0) * 1024,
            )
        except KeyError as error:
            raise ProbeError(f"/proc/meminfo has no {error.args[0]}") from error

    async def counters(self, protocol: str) -> dict[str, int]:
        """Of this network namespace. Source: proc_pid_net(5)."""
        for file in COUNTERS:
            lines = _lines(file)
            for names, values in zip(lines, lines, strict=False):  # a line of names, a line of values
                label, _, counted = names.partition(":")
                if label == protocol:
                    numbers = map(int, values.partition(":")[2].split())
                    return dict(zip(counted.split(), numbers, strict=False))
        raise ProbeError(f"this kernel counts nothing of {protocol}")

    async def sysctl(self, name: str) -> str | None:
        """Of this network namespace, where it has one of its own. Source: proc_sys(5)."""
        if not _SYSCTL.fullmatch(name):
            raise ProbeError(f"no name of a kernel setting: {name!r}")
        path = SYSCTLS / name.translate(_DOTS_AND_SLASHES)
        if any(part.strip(".") == "" for part in path.parts[1:]):
            raise ProbeError(f"no name of a kernel setting: {name!r}")
        try:
            return path.read_text(encoding="utf-8", errors="replace").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ProbeError(f"{path}: {error.strerror}") from error

    async def tasks(self, control_group: str) -> Tasks | None:
        """Source: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/pids.rst."""
        if not control_group.startswith("/") or (counting := _counts_tasks()) is None:
            return None
        group = Path(f"{counting}{control_group}")
        try:
            current = int((group / "pids.current").read_text(encoding="ascii"))
            limit = (group / "pids.max").read_text(encoding="ascii").strip()
            refused = _refused((group / "pids.events").read_text(encoding="ascii"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ProbeError(f"{group}: {error}") from error
        return Tasks(current=current, limit=None if limit == "max" else int(limit), refused=refused)

    async def unit_loads(self) -> tuple[UnitLoad, ...]:
        """Source: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/."""
        return await asyncio.to_thread(lambda: tuple(loads.unit_loads()))

    async def processors(self) -> int:
        """Source: sched_getaffinity(2), which follows the cpuset of the control group."""
        return len(os.sched_getaffinity(0))

    async def clock_offset_s(self) -> float | None:
        return adjtimex.clock_offset_s()


def _lines(file: Path) -> Iterator[str]:
    try:
        yield from file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        raise ProbeError(f"{file}: {error.strerror}") from error


def _refused(events: str) -> int:
    counted = dict(line.split(" ", 1) for line in events.splitlines())
    return int(counted.get("max", 0))


@cache
def _counts_tasks() -> Path | None:
    """Where the control groups are that count tasks: of version 1 in a hybrid setup, else of version 2."""
    for line in _lines(PROC / "self" / "mountinfo"):
        before, _, after = line.partition(" - ")
        kind, _source, options = [*after.split(" "), "", ""][:3]
        place = Path(before.split(" ")[4])
        if kind == "cgroup" and "pids" in options.split(","):
            return place
        if kind == "cgroup2" and (place / "cgroup.controllers").exists() and "pids" in _controllers(place):
            return place
    return None


def _controllers(group: Path) -> list[str]:
    return (group / "cgroup.controllers").read_text(encoding="ascii").split()
