"""What does each service take of the machine, and how long does it wait for its turn?

Source: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst and cgroup-v1/pids.rst, and for `cpu.shares` and
`cpu.cfs_quota_us` scheduler/sched-design-CFS.rst and sched-bwc.rst of Linux.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from guardian_agent.errors import ProbeError
from guardian_agent.host import UnitLoad
from guardian_agent.host.pressure import read_group

MOUNTS = Path("/proc/self/mountinfo")
USUAL_WEIGHT, USUAL_SHARES = 100, 1024
MOST_UNITS = 500


class Hierarchies(NamedTuple):
    """Where the control groups are; those of version 1 where there are such, beside version 2."""

    unified: Path
    cpu: Path | None = None
    memory: Path | None = None
    pids: Path | None = None


def hierarchies(mountinfo: str) -> Hierarchies | None:
    """None where version 2 is not mounted at all: then nobody measures pressure by groups."""
    found: dict[str, Path] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        kind, _source, options = [*after.split(" "), "", ""][:3]
        place = Path(before.split(" ")[4])
        if kind == "cgroup2":
            found.setdefault("unified", place)
        if kind == "cgroup":
            found |= {name: place for name in ("cpu", "memory", "pids") if name in options.split(",")}
    return Hierarchies(**found) if "unified" in found else None


def unit_loads() -> Iterator[UnitLoad]:
    """Every service and scope that has processes. A millisecond for each: call it in a thread."""
    try:
        places = hierarchies(MOUNTS.read_text())
    except OSError:
        places = None
    if places is not None:
        yield from _below(places, places.unified, low=False, left=[MOST_UNITS])


def _below(places: Hierarchies, group: Path, *, low: bool, left: list[int]) -> Iterator[UnitLoad]:
    try:
        names = sorted(each.name for each in os.scandir(group) if each.is_dir(follow_symlinks=False))
    except OSError:
        return
    for name in names:
        inside = f"/{(group / name).relative_to(places.unified)}"
        its_low = low or _low(places, inside)
        if name.endswith(".slice"):
            yield from _below(places, group / name, low=its_low, left=left)
        elif name.endswith((".service", ".scope")) and left[0] > 0:
            left[0] -= 1
            with contextlib.suppress(FileNotFoundError):  # it has just ended
                yield _load(places, inside, its_low)


def _load(places: Hierarchies, inside: str, low: bool) -> UnitLoad:
    group = Path(f"{places.unified}{inside}")
    used = _numbers(group / "cpu.stat").get("usage_usec", 0)
    memory = _number(group / "memory.current", _v1(places.memory, inside, "memory.usage_in_bytes"))
    tasks = _number(group / "pids.current", _v1(places.pids, inside, "pids.current"))
    return UnitLoad(
        unit=group.name,
        control_group=inside,
        cpu_s=used / 1e6,
        cpu_waited_percent=_waited(group),
        cpu_low=low,
        memory_bytes=memory,
        io_bytes=_io_bytes(group / "io.stat"),
        tasks=tasks,
    )


def _low(places: Hierarchies, inside: str) -> bool:
    group = Path(f"{places.unified}{inside}")
    weight = _number(group / "cpu.weight")
    shares = _number(_v1(places.cpu, inside, "cpu.shares"))
    quota = (_text(group / "cpu.max") or "max").split()[0]
    period = _text(_v1(places.cpu, inside, "cpu.cfs_quota_us")) or "-1"
    if (weight is not None and weight < USUAL_WEIGHT) or (shares is not None and shares < USUAL_SHARES):
        return True
    return quota != "max" or not period.startswith("-")


def _waited(group: Path) -> float | None:
    try:
        return read_group(group / "cpu.pressure").some_avg10
    except ProbeError:
        return None


def _io_bytes(file: Path) -> int | None:
    """Of all disks together; None where the io controller is not at work."""
    if (text := _text(file)) is None:
        return None
    words = [word.partition("=") for line in text.splitlines() for word in line.split()[1:]]
    return sum(int(value) for name, _, value in words if name in ("rbytes", "wbytes") and value.isdecimal())


def _v1(hierarchy: Path | None, inside: str, name: str) -> Path | None:
    return None if hierarchy is None else Path(f"{hierarchy}{inside}", name)


def _numbers(file: Path) -> dict[str, int]:
    pairs = (line.split() for line in (_text(file) or "").splitlines())
    return {words[0]: int(words[1]) for words in pairs if len(words) == 2 and words[1].isdecimal()}


def _number(*files: Path | None) -> int | None:
    """Of the first of them that has one."""
    found = (_text(file) for file in files)
    return next((int(text) for text in found if text is not None and text.isdecimal()), None)


def _text(file: Path | None) -> str | None:
    try:
        return None if file is None else file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
