"""What did Debian's package manager install where?

Nothing is started: the answers stand in dpkg's own files (dpkg(1), deb-md5sums(5); `dpkg --verify` reads the same).
"""

import os
from collections.abc import Iterator
from pathlib import Path

from guardian_agent.errors import ProbeError

FOLDER = Path("/var/lib/dpkg")
MERGED = ("usr/bin/", "usr/sbin/", "usr/lib")  # packages may still say bin/, sbin/ and lib for these


class Packages:
    """The MD5 sums of files as their packages brought them, looked up once for each state of dpkg's files."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._as_of = 0
        self._sums: dict[str, str | None] = {}

    def md5(self, path: str) -> str | None:
        """The sum of a packaged file, or of a configuration file as it was shipped; None when no package has it.

        Some ten milliseconds the first time: call it in a thread.

        Raises:
            ProbeError: packages are being changed just now, so that files and sums need not fit together.
            OSError: there is no dpkg here, or it cannot be read.
        """
        if any((self._folder / "updates").iterdir()) or self._locked():
            raise ProbeError("dpkg is at work: what is installed may change at any moment")
        as_of = (self._folder / "status").stat().st_mtime_ns
        if as_of != self._as_of:
            self._as_of, self._sums = as_of, {}
        if path not in self._sums:
            self._sums[path] = next(self._found(path), None)
        return self._sums[path]

    def _found(self, path: str) -> Iterator[str]:
        names = [path.lstrip("/")]
        if names[0].startswith(MERGED):
            names.append(names[0].removeprefix("usr/"))
        wanted = [f"  {name}\n".encode() for name in names]
        for file in (self._folder / "info").glob("*.md5sums"):
            content = file.read_bytes()
            for ending in wanted:
                if (at := content.find(ending)) >= 0:
                    yield content[content.rfind(b"\n", 0, at) + 1 : at].decode("ascii", "replace").strip()
        conffile = f"\n {path} ".encode()
        status = (self._folder / "status").read_bytes()
        if (at := status.find(conffile)) >= 0:
            md5 = status[at + len(conffile) :].split(None, 1)[0].decode("ascii", "replace")
            if len(md5) == 32:  # "newconffile": just being unpacked
                yield md5

    def _locked(self) -> bool:
        """Whether somebody holds dpkg's lock; it may not be opened by everybody, but /proc/locks tells of it."""
        try:
            inode = os.stat(self._folder / "lock").st_ino  # noqa: PTH116 - one call among os calls
            locks = Path("/proc/locks").read_text(encoding="ascii")
        except OSError:
            return False
        return any(f":{inode} " in line and " WRITE " in line for line in locks.splitlines())
