"""Which tables of the firewall has root itself seen on this host?

What was good is known by the agent, whose word is not believed. But it cannot have seen what root has not: it reads the
firewall through root. So root keeps a hash of every table that it shows, and puts back no other.
"""

import contextlib
import hashlib
from typing import ClassVar

import msgspec

from guardian_agent.host import nft
from guardian_agent.host.as_root import paths

FOLDER = "/var/lib/guardian-executor/firewall"
MOST_BYTES = 8 << 20
MOST_TEXTS, MOST_TABLES = 64, 500  # the newest of each table; the tables that came first
NONE = ""  # instead of a hash: there was no such table


class _Record(msgspec.Struct, frozen=True):
    texts: dict[str, list[str]] = {}  # by table, the oldest first


class SeenTables:
    """Durable. The functions raise OSError where it cannot be read or written."""

    name: ClassVar = "seen.json"

    def __init__(self, folder: str | None = None) -> None:
        """`folder`: where it is kept; None: where root keeps it."""
        self._folder = folder or FOLDER

    def note(self, tables: dict[str, str]) -> None:
        """Root sees these tables now, and no others."""
        known = self._read()
        now = {key: _hash(text) for key, text in nft.comparable(tables).items()}
        texts = dict(known.texts) if known is not None else {}
        for key in dict.fromkeys((*texts, *now)):
            before = texts.get(key, [] if known is None else [NONE])
            if (what := now.get(key, NONE)) not in before:
                before = [*before, what][-MOST_TEXTS:]
            texts[key] = before
        kept = _Record(dict(list(texts.items())[:MOST_TABLES]))
        if kept != known:
            with paths.private_folder(self._folder), paths.place(f"{self._folder}/{self.name}") as where:
                paths.replace(where, msgspec.json.encode(kept), paths.Marks(mode=0o600))

    def has(self, key: str, text: str) -> bool:
        """Whether root has seen this table so; an empty text: whether it has seen that there is none."""
        known = self._read()
        return known is not None and (_hash(text) if text else NONE) in known.texts.get(key, [NONE])

    def _read(self) -> _Record | None:
        """None before the first look, and where what is kept is no such record."""
        with (
            contextlib.suppress(FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError),
            paths.place(f"{self._folder}/{self.name}") as where,
        ):
            return msgspec.json.decode(paths.read(where, MOST_BYTES), type=_Record)
        return None


def _hash(text: str) -> str:
    """Of a table without what changes by itself, as the agent keeps it."""
    return hashlib.sha256(nft.settled(text).encode(errors="replace")).hexdigest()
