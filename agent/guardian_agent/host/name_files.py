"""The files that decide how this host resolves names, as they are or were."""

import hashlib
from datetime import UTC, datetime

import msgspec

from guardian_agent.host.operations.resolver import MOST_BYTES, NAME_FILES
from guardian_agent.host.protocols.files import Files

__all__ = ["NAME_FILES", "KeptFile", "kept_file", "packages_as_of"]

PACKAGES = "/var/lib/dpkg/status"


class KeptFile(msgspec.Struct, frozen=True, kw_only=True):
    """A small file to the byte, or what a link says."""

    target: str = ""  # of a link; then the rest says nothing
    content: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0

    def __str__(self) -> str:
        if self.target:
            return f"a link to {self.target}"
        return f"{len(self.content)} bytes (SHA-256 {hashlib.sha256(self.content).hexdigest()[:12]}…)"


async def kept_file(files: Files, path: str) -> KeptFile | None:
    """What is at a path now; None when nothing is.

    Raises:
        ProbeError: it cannot be read, is neither file nor link, or has more than 64 KiB.
    """
    there = await files.state(path)
    if there is None:
        return None
    if there.kind == "link":
        return KeptFile(target=there.target)
    content = await files.content(path, MOST_BYTES)
    return KeptFile(content=content, mode=there.mode, uid=there.uid, gid=there.gid)


async def packages_as_of(files: Files) -> str:
    """When packages were last installed or removed (dpkg), as text; empty where there is no dpkg. Raises ProbeError."""
    there = await files.state(PACKAGES)
    if there is None:
        return ""
    seconds, nanoseconds = divmod(there.modified_wall_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"
