"""Which mounted file systems can fill up, and how full are they?"""

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from guardian_agent.host import FileSystem

# The service's own mounts differ (ProtectSystem=, ProtectHome=): what counts is what the host's first process sees.
HOSTS_OWN, MINE = Path("/proc/1/mountinfo"), Path("/proc/self/mountinfo")

WITHOUT_DEVICE = ("btrfs", "zfs", "bcachefs", "tmpfs", "overlay")  # written to, though no /dev/… is their source
IMAGES = ("squashfs", "iso9660", "udf", "erofs", "cramfs", "romfs")
SUBVOLUMES = ("btrfs", "bcachefs")  # stat(2) tells another device there than mountinfo does
# They make themselves read-only after an error. Others do so for other reasons too (overlay without an upper folder,
# a btrfs seed).
GIVE_UP_WRITING = ("ext2", "ext3", "ext4", "vfat", "f2fs")
EMERGENCY = ("emergency_ro", "shutdown")  # ext4's words for the same
NOT_FOR_FILES = ("/dev/", "/proc/", "/sys/", "/run/")  # tmpfs there are the system's, a user's or a container's own
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """One line of proc_pid_mountinfo(5)."""

    device: str  # MAJOR:MINOR
    root: str  # the folder of the file system that is mounted
    mount: str
    options: frozenset[str]  # of this mount
    kind: str
    source: str
    whole: frozenset[str]  # options of the whole file system

    @property
    def forced_read_only(self) -> bool:
        turned = "ro" in self.whole and "ro" not in self.options
        return self.kind in GIVE_UP_WRITING and (turned or not self.whole.isdisjoint(EMERGENCY))

    @property
    def read_only(self) -> bool:
        return "ro" in self.whole or "ro" in self.options or self.forced_read_only


def parse(text: str) -> list[Mount]:
    """The lines of a mountinfo file; one that makes no sense is left out."""
    mounts = []
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        first, last = before.split(" "), after.split(" ")
        if dash and len(first) >= 6 and len(last) >= 3:
            options, whole = frozenset(first[5].split(",")), frozenset(last[2].split(","))
            mounts.append(Mount(first[2], _plain(first[3]), _plain(first[4]), options, last[0], _plain(last[1]), whole))
    return mounts


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), text)


def fillable(mounts: Iterable[Mount]) -> list[Mount]:
    """Those that are written to and can fill up, by mount point: no pseudo ones, images, or any over a network.

    Each is there once, by the first mount of all of it (a bind mount, or a later one, is another door to the same).
    """
    visible = {mount.mount: mount for mount in mounts}  # of two on one point the later hides the earlier
    by_device: dict[str, Mount] = {}
    for mount in visible.values():
        if not _fills_up(mount):
            continue
        known = by_device.get(mount.device)
        if known is None or (known.root != "/" and mount.root == "/"):
            by_device[mount.device] = mount
    return sorted(by_device.values(), key=lambda mount: mount.mount)


def _fills_up(mount: Mount) -> bool:
    if mount.kind in IMAGES or (mount.kind.startswith("fuse") and mount.kind != "fuseblk"):
        return False
    if mount.kind == "overlay":  # elsewhere it is a container's, on a disk that is counted by itself
        return mount.mount == "/"
    if mount.kind == "tmpfs":
        return not mount.mount.startswith(NOT_FOR_FILES) and not mount.mount.endswith("/shm")
    return mount.kind in WITHOUT_DEVICE or mount.source.startswith("/dev/")


def read_mounts() -> list[Mount]:
    """All mounts of this host, or where these are hidden (hidepid), this process's own, as far as they say something
    of the host. Raises OSError."""
    try:
        return parse(HOSTS_OWN.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        mine = parse(MINE.read_text(encoding="utf-8", errors="surrogateescape"))
        return [mount._replace(options=mount.whole) for mount in mine]


def file_systems() -> list[FileSystem]:
    """What `fillable` finds, with its numbers (statvfs(3)). Call it in a thread. Raises OSError."""
    measured = (_measured(mount) for mount in fillable(read_mounts()))
    return [file_system for file_system in measured if file_system is not None]


def _measured(mount: Mount) -> FileSystem | None:
    """None where this process sees something else at the mount point than the host does, or may not look, or where it
    has no size."""
    try:
        there, numbers = os.stat(mount.mount), os.statvfs(mount.mount)  # noqa: PTH116 - beside statvfs
    except (PermissionError, FileNotFoundError):
        return None
    device = f"{os.major(there.st_dev)}:{os.minor(there.st_dev)}"
    if not stat.S_ISDIR(there.st_mode) or (device != mount.device and mount.kind not in SUBVOLUMES):
        return None
    if not numbers.f_blocks:
        return None
    return FileSystem(
        mount=mount.mount,
        kind=mount.kind,
        read_only=mount.read_only,
        forced_read_only=mount.forced_read_only,
        size_bytes=numbers.f_blocks * numbers.f_frsize,
        available_bytes=numbers.f_bavail * numbers.f_frsize,
        inodes=numbers.f_files,
        inodes_available=numbers.f_favail,
    )
