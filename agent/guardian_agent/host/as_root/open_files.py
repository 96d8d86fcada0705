"""Which files does some process, or the kernel itself, have open?"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from guardian_agent.host.groups import control_group, unit_of
from guardian_agent.host.questions import HeldFile

PROC = Path("/proc")
LOOP_DEVICES = Path("/sys/block")


class Descriptor(NamedTuple):
    """A regular file that a process has open."""

    pid: int
    path: str  # the link in /proc by which it is reached
    state: os.stat_result


def open_files() -> frozenset[tuple[int, int]]:
    """Device and inode of every file that a process has open or mapped, or that the kernel swaps to or shows as a
    device. A tenth of a second and more: call it in a thread."""
    states = [one.state for one in descriptors()]
    states += [state for pid in _pids() for state in _mapped(pid)]
    states += _used_by_the_kernel()
    return frozenset((state.st_dev, state.st_ino) for state in states)


def descriptors() -> Iterator[Descriptor]:
    """Every regular file that some process has open (proc_pid_fd(5)); processes that end meanwhile are left out."""
    for pid in _pids():
        folder = PROC / str(pid) / "fd"
        links: list[str] = []
        with contextlib.suppress(OSError):
            links = os.listdir(folder)  # noqa: PTH208 - of a hundred thousand, no objects
        for link in links:
            with contextlib.suppress(OSError):
                state = os.stat(f"{folder}/{link}")  # noqa: PTH116
                if stat.S_ISREG(state.st_mode):
                    yield Descriptor(pid, f"{folder}/{link}", state)


def held_files(device: int) -> list[HeldFile]:
    """Deleted files of one device that are still open, each once, largest first."""
    found: dict[int, HeldFile] = {}
    for one in descriptors():
        if one.state.st_dev == device and one.state.st_nlink == 0 and one.state.st_ino not in found:
            found[one.state.st_ino] = HeldFile(
                pid=one.pid,
                program=_text(PROC / str(one.pid) / "comm"),
                unit=unit_of(control_group(one.pid)),
                name=_name(one.path),
                allocated_bytes=one.state.st_blocks * 512,
            )
    return sorted(found.values(), key=lambda file: -file.allocated_bytes)


def _name(link: str) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(link).removesuffix(" (deleted)")  # noqa: PTH115
    return ""


def _pids() -> list[int]:
    return [int(name) for name in os.listdir(PROC) if name.isdecimal()]  # noqa: PTH208


def _mapped(pid: int) -> Iterator[os.stat_result]:
    """By their paths, as the process sees them (proc_pid_maps(5)): on some file systems (overlay, btrfs) the kernel
    tells another device for a mapping than stat(2) does. Those without a name any more are left out."""
    words = (line.split(None, 5) for line in _text(PROC / str(pid) / "maps").splitlines())
    for path in {each[5] for each in words if len(each) == 6 and each[5].startswith("/")}:
        with contextlib.suppress(OSError):
            yield os.stat(f"{PROC}/{pid}/root{path}")  # noqa: PTH116


def _used_by_the_kernel() -> Iterator[os.stat_result]:
    paths = [line.split()[0] for line in _text(PROC / "swaps").splitlines()[1:] if line.strip()]
    with contextlib.suppress(OSError):
        paths += [_text(file) for file in LOOP_DEVICES.glob("loop*/loop/backing_file")]
    for path in paths:
        with contextlib.suppress(OSError):
            yield os.stat(path)  # noqa: PTH116


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:  # it has ended
        return ""
