"""A disk of a host's own: a sparse ext4 image that holds all that the host writes, and that can lose its power."""

import fcntl
import os
import struct
from pathlib import Path

from tests.bed.commands import run

IMAGE = "disk.img"
MOUNTPOINT = "disk"
EXT4_IOC_SHUTDOWN = 0x8004587D  # fs/ext4/ext4.h
NO_LOG_FLUSH = struct.pack("I", 2)  # neither data nor journal: what the disk has not got is lost


async def make_disk(scratch: Path, mib: int) -> None:
    """Makes the image in a host's scratch folder, its `upper` and `work` moved into it; boot.sh mounts it.

    Raises:
        CommandError: it is too small for what lies in `upper`.
    """
    moved = scratch / "seed"
    moved.mkdir()
    for folder in ("upper", "work"):
        (scratch / folder).rename(moved / folder)
    (scratch / MOUNTPOINT).mkdir()
    options = ["-q", "-m", "0", "-E", "lazy_itable_init=1,assume_storage_prezeroed=1", "-d", str(moved)]
    (await run("mkfs.ext4", *options, str(scratch / IMAGE), f"{mib}M")).check()


def take_power(scratch: Path, supervisor: int) -> None:
    """From here on nothing reaches the disk that had not reached it yet. Everything is an error to the host.

    `supervisor`: the pid of boot.sh, in whose mount namespace alone the disk is mounted.

    Raises:
        OSError: the host has no disk of its own, or it is not mounted.
    """
    mounted = Path(f"/proc/{supervisor}/root{scratch}/{MOUNTPOINT}")
    opened = os.open(mounted, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(opened, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH)
    finally:
        os.close(opened)


def loop_devices(below: Path) -> list[str]:
    """The loop devices whose images lie (or lay, before they were deleted) in this folder."""
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            image = backing.read_text()
        except OSError:  # it was let go just now
            continue
        if image.startswith(f"{below}/"):
            found.append(f"/dev/{backing.parts[3]}")
    return found
