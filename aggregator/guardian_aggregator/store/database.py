"""Opens the SQLite file: its settings, its one owner, its schema."""

import fcntl
import os
import re
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import apsw

from guardian_aggregator.errors import StoreError
from guardian_aggregator.store.rollups import rebuild, watch

_BUSY_TIMEOUT_MS = 5000
_ROLLED_UP = 3  # the migration from which on the rollups are kept
_WAL_KEPT_BYTES = 64 << 20  # a larger one, which one slow reader can make, is cut back after it


def migrations() -> list[str]:
    """The SQL of every migration, in order: the first brings an empty file to version 1."""
    folder = files("guardian_aggregator.store") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    for number, name in enumerate(names, start=1):
        if not re.fullmatch(rf"{number:04d}_[a-z0-9_]+\.sql", name):
            raise StoreError(f"migration {name}: its number should be {number:04d}")
    return [(folder / name).read_text("utf-8") for name in names]


def open_writer(path: Path, *, migrated: bool = True) -> apsw.Connection:
    """Opens (or makes) the database for the one writer, its schema brought up to this version's unless not `migrated`.

    WAL with `synchronous=FULL`: an answered commit survives a loss of power (NORMAL was measured to lose some).

    Raises:
        StoreError: the file cannot be used, or a newer version made it.
    """
    try:
        with suppress(FileExistsError):  # one that is there is never opened twice: closing it would drop SQLite's locks
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    try:
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
        connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT_BYTES}")
        if migrated:
            migrate(connection, path)
            watch(connection)
    except apsw.Error as error:
        raise StoreError(f"{path}: {_plain(error)}") from error
    return connection


def open_reader(path: Path) -> apsw.Connection:
    """Opens the database, which the writer has made, for reading only."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
    except apsw.Error as error:
        raise StoreError(f"{path}: {_plain(error)}") from error
    return connection


def migrate(connection: apsw.Connection, path: Path) -> tuple[int, int]:
    """Brings the schema up to this version's, each migration in a transaction of its own; returns (from, to).

    Raises:
        StoreError: the file was made by a newer version.
    """
    steps = migrations()
    found = _version(connection)
    if found > len(steps):
        raise StoreError(f"{path}: made by a newer version (schema {found}; this version knows up to {len(steps)})")
    for number in range(found + 1, len(steps) + 1):
        with connection:
            connection.execute(steps[number - 1])
            if number == _ROLLED_UP:
                rebuild(connection)
            connection.execute(f"PRAGMA user_version = {number}")
    return found, len(steps)


def own(path: Path) -> Callable[[], None]:
    """Claims the database for this process until the returned function is called, or the process ends.

    Raises:
        StoreError: another aggregator has it.
    """
    lock = path.with_name(path.name + ".lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{lock}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise StoreError(f"{path}: another aggregator has it open") from None

    def release() -> None:
        with suppress(OSError):
            os.close(handle)

    return release


def _version(connection: apsw.Connection) -> int:
    version = connection.pragma("user_version")
    return version if isinstance(version, int) else 0


def _plain(error: apsw.Error) -> str:
    """SQLite's words for what went wrong, or the kind of error where it has none."""
    return str(error) or type(error).__name__
