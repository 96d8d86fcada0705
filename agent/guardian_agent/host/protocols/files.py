"""What can be told of files, file systems and what the kernel says in files?"""

from typing import Protocol

import msgspec


class FileState(msgspec.Struct, frozen=True, kw_only=True):
    """A file as lstat(2) tells it, or what a link names."""

    kind: str  # file, folder, link, other
    size_bytes: int
    modified_wall_ns: int
    mode: int
    uid: int
    inode: int
    gid: int = 0
    target: str = ""  # of a link, as written in it


class FileSystem(msgspec.Struct, frozen=True, kw_only=True):
    """A mounted file system that can fill up (statvfs(3), proc(5) mountinfo)."""

    mount: str
    kind: str  # ext4, xfs, tmpfs …
    read_only: bool
    size_bytes: int
    available_bytes: int  # to those who are not root
    inodes: int  # 0: it has no fixed number of them
    inodes_available: int
    forced_read_only: bool = False  # the kernel made it so after an error (errors=remount-ro)


class Files(Protocol):
    """Files; a link in the last place is followed by `text` only. Each raises ProbeError when it cannot be told."""

    async def state(self, path: str) -> FileState | None:
        """What is there, or None when nothing is."""

    async def sha256(self, path: str) -> str:
        """The hash of a regular file's content, in hexadecimal; read in a thread, and only again when size, time,
        inode or mode have changed since."""

    async def md5(self, path: str) -> str:
        """The same for what packages say of their files: MD5 shows damage, and no more than that."""

    async def packaged_md5(self, path: str) -> str | None:
        """The MD5 that a file had when its package brought it (dpkg), in hexadecimal; None when no package has it."""

    async def text(self, path: str, limit_bytes: int = 65536) -> str:
        """The content of a small file, undecodable bytes replaced."""

    async def content(self, path: str, limit_bytes: int) -> bytes:
        """The content of a regular file of no more than `limit_bytes`, to the byte."""

    async def file_systems(self) -> list[FileSystem]:
        """The file systems that are written to and can fill up: no pseudo ones, no images, none over a network, each
        once however often it is mounted."""
