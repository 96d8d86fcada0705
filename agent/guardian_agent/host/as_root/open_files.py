"""Which files of one file system does some process, or the kernel itself, have open?

Of whatever else is open nothing is touched: a file of a server that does not answer any more would hang us.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from guardian_agent.host.as_root.below import mount_id
from guardian_agent.host.as_root.deadline import Deadline
from guardian_agent.host.as_root.mount_table import MountTable
from guardian_agent.host.escaped import escaped
from guardian_agent.host.groups import control_group, unit_of
from guardian_agent.host.questions import HeldFile

PROC = Path("/proc")
LOOP_DEVICES = Path("/sys/block")


class Descriptor(NamedTuple):
    """A regular file that a process has open."""

    pid: int
    path: str  # the link in /proc by which it is reached
    state: os.stat_result


class Opened(NamedTuple):
    """What is in use of a file system."""

    files: frozenset[tuple[int, int]]  # device and inode
    inodes: frozenset[int]  # in use, and of this file system or of one that cannot be told

    def has(self, state: os.stat_result) -> bool:
        return (state.st_dev, state.st_ino) in self.files or state.st_ino in self.inodes


def open_files(folder: int, deadline: Deadline, *, but: int | None = None) -> Opened:
    """Every file of the file system of an opened folder that a process has open or mapped, or that the kernel swaps to
    or shows as a device; not for its sake that this process has it open as `but`. A tenth of a second and
    more: call it in a thread. Raises OSError, TooLateError."""
    look = _Look(folder, deadline, but)
    states = [one.state for one in look.descriptors()]
    for pid in _pids():
        states += look.mapped(pid)
    states += look.used_by_the_kernel()
    return Opened(frozenset((state.st_dev, state.st_ino) for state in states), frozenset(look.inodes))


def held_files(folder: int, deadline: Deadline) -> list[HeldFile]:
    """Deleted files of the file system of an opened folder that are still open, each once, largest first. Raises
    OSError, TooLateError."""
    device = os.fstat(folder).st_dev
    found: dict[int, HeldFile] = {}
    for one in _Look(folder, deadline).descriptors():
        if one.state.st_dev == device and one.state.st_nlink == 0 and one.state.st_ino not in found:
            found[one.state.st_ino] = HeldFile(
                pid=one.pid,
                program=escaped(_text(PROC / str(one.pid) / "comm")),
                unit=unit_of(control_group(one.pid)),
                name=_name(one.path),
                allocated_bytes=one.state.st_blocks * 512,
            )
    return sorted(found.values(), key=lambda file: -file.allocated_bytes)


class _Look:
    """One pass over all processes, for one file system."""

    def __init__(self, folder: int, deadline: Deadline, but: int | None = None) -> None:
        self._deadline = deadline
        self._but = None if but is None else (os.getpid(), str(but))
        self._mounts = MountTable()
        self.inodes: set[int] = set()
        # Not what stat(2) says: on some file systems (overlay, btrfs) that is another than mounts and mappings have.
        device = self._mounts.device(mount_id(folder))
        if device is None:
            raise OSError("the mount of the folder cannot be found")
        self._device = device

    def descriptors(self) -> Iterator[Descriptor]:
        """Every regular file there that some process has open (proc_pid_fd(5)); processes that end meanwhile are left
        out."""
        for pid in _pids():
            self._deadline.check()
            folder = f"{PROC}/{pid}/fd"
            links: list[str] = []
            with contextlib.suppress(OSError):
                links = os.listdir(folder)  # noqa: PTH208 - of a hundred thousand, no objects
            for link in links:
                with contextlib.suppress(OSError, ValueError):
                    if self._may_be_here(pid, link):
                        state = os.stat(f"{folder}/{link}")  # noqa: PTH116
                        if stat.S_ISREG(state.st_mode):
                            yield Descriptor(pid, f"{folder}/{link}", state)

    def _may_be_here(self, pid: int, link: str) -> bool:
        """Whether it may be looked at. Raises OSError, ValueError."""
        self._deadline.check()
        if (pid, link) == self._but:
            return False
        if not os.readlink(f"{PROC}/{pid}/fd/{link}").startswith("/"):  # noqa: PTH115 - a socket or a pipe
            return False
        told = _fields(f"{PROC}/{pid}/fdinfo/{link}")
        device = self._mounts.device(int(told["mnt_id"]), str(pid)) if "mnt_id" in told else None
        if device is None and "ino" in told:  # of a mount that was taken away, and may be a dead server's
            self.inodes.add(int(told["ino"]))
        return device == self._device

    def mapped(self, pid: int) -> Iterator[os.stat_result]:
        """By device and inode, and also by their paths, as the process sees them (proc_pid_maps(5)): the kernel need
        not tell the same device for a mapping. Those without a name any more are left out."""
        self._deadline.check()
        paths = set()
        for line in _text(PROC / str(pid) / "maps").split("\n"):
            words = line.split(None, 5)
            if len(words) == 6 and words[5].startswith("/"):
                paths.add(words[5])
                with contextlib.suppress(ValueError):
                    major, _, minor = words[3].partition(":")
                    if f"{int(major, 16)}:{int(minor, 16)}" == self._device:
                        self.inodes.add(int(words[4]))
        for path in paths:
            if self._mounts.device_of(path, str(pid)) == self._device:
                with contextlib.suppress(OSError, ValueError):
                    yield os.stat(f"{PROC}/{pid}/root{path}")  # noqa: PTH116

    def used_by_the_kernel(self) -> Iterator[os.stat_result]:
        paths = [line.split()[0] for line in _text(PROC / "swaps").split("\n")[1:] if line.strip()]
        with contextlib.suppress(OSError):
            paths += [_text(file) for file in LOOP_DEVICES.glob("loop*/loop/backing_file")]
        for path in paths:
            if path.startswith("/") and self._mounts.device_of(path) == self._device:
                with contextlib.suppress(OSError):
                    yield os.stat(path)  # noqa: PTH116


def _fields(path: str) -> dict[str, str]:
    """The lines of a file of /proc/PID/fdinfo. Raises OSError."""
    with open(path, encoding="utf-8", errors="replace") as info:  # noqa: PTH123
        return {name: value.strip() for name, _, value in (line.partition(":") for line in info)}


def _name(link: str) -> str:
    with contextlib.suppress(OSError):
        return escaped(os.readlink(link).removesuffix(" (deleted)"))  # noqa: PTH115
    return ""


def _pids() -> list[int]:
    return [int(name) for name in os.listdir(PROC) if name.isdecimal()]  # noqa: PTH208


def _text(path: Path) -> str:
    try:
        return os.fsdecode(path.read_bytes()).strip()
    except OSError:  # it has ended
        return ""
