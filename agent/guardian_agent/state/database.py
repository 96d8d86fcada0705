"""One SQLite file, one connection, one writer thread: many callers, one fsync.

Callers hand in closures. The thread takes all that wait, runs them in one transaction, commits, and only then tells the
callers. WAL with `synchronous=FULL`, since NORMAL loses acknowledged commits on power loss. The lock on the file is
exclusive: a second agent on the same folder is refused.
"""

import asyncio
import logging
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import apsw

from guardian_agent.errors import StateEndedError, StateError
from guardian_agent.state.reserve import Reserve
from guardian_agent.state.schema import migrate

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[apsw.Connection], T]

_log = logging.getLogger(__name__)

_GROUP_LIMIT = 1_000  # closures in one transaction

# After these SQLite cannot go on with the transaction, whichever closure met them.
_FATAL = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.FullError,
    apsw.IOError,
    apsw.NoMemError,
    apsw.NotADBError,
    apsw.ReadOnlyError,
)


class _Job(NamedTuple):
    work: Work[Any]
    then: Callable[[Any], Any]
    future: "asyncio.Future[Any]"


class _Result(NamedTuple):
    value: Any = None
    error: BaseException | None = None


class Database:
    """Runs closures on the writer thread; made by `open`, ended by `close`. Every method belongs to the event loop."""

    def __init__(self, path: Path, failed: Callable[[StateError], None], reserve: Reserve) -> None:
        self.path = path
        self._failed = failed
        self._reserve = reserve
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._ended: StateError | None = None
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._serve, name="state-writer", daemon=True)

    @classmethod
    async def open(
        cls, path: Path, *, failed: Callable[[StateError], None] = lambda _: None, reserve_bytes: int = 0
    ) -> "Database":
        """Opens or makes the file (mode 0600) and starts its thread.

        `failed` is called on the loop each time that a whole transaction was lost (disk full, I/O error, the thread's
        end). `reserve_bytes` of disk are kept aside, and given up when the disk is full.

        Raises:
            StateError: the folder or the file cannot be used; the text names it.
        """
        database = cls(path, failed, Reserve(path.with_name("reserve"), reserve_bytes))
        database._thread.start()
        await database._opened
        return database

    def run(self, work: Work[T]) -> "asyncio.Future[T]":
        """Hands `work` to the writer thread; the future resolves with its result when its transaction is durable.

        `work` may run twice (after the disk was full), so it has no effect but on the connection. A failure is always
        logged: StateError for the database's own, else what `work` raised; then nothing of this `work` is stored.
        """
        return self.run_then(work, lambda result: result)

    def run_then(self, work: Work[T], then: Callable[[T], R]) -> "asyncio.Future[R]":
        """As `run`; the future resolves with what `then` makes of the result.

        `then` is called on the loop after the commit, in the order of submitting, even when nobody waits any more.
        """
        future: asyncio.Future[R] = self._loop.create_future()
        future.add_done_callback(_log_failure)
        if self._ended is not None:
            future.set_exception(self._ended)
        else:
            self._jobs.put(_Job(work, then, future))
        return future

    async def close(self) -> None:
        """Commits all that was handed in, then closes the file. What comes later fails with StateError."""
        if self._ended is None:
            self._ended = StateError(f"{self.path}: closed")
            self._jobs.put(None)
        await asyncio.shield(self._finished)
        self._thread.join()

    # From here on: the writer thread.

    def _serve(self) -> None:
        try:
            self._reserve.keep()
            connection = _connect(self.path)
        except StateError as error:
            self._tell(self._settle, self._opened, error)
            return
        self._tell(self._settle, self._opened, None)
        group: list[_Job] = []
        try:
            while group := self._take():
                self._commit(connection, group)
            connection.close()
        finally:
            self._tell(self._end, group)

    def _take(self) -> list[_Job]:
        """Everything that waits, at least one; nothing when it is time to end."""
        group: list[_Job] = []
        while len(group) < _GROUP_LIMIT and not (group and self._jobs.empty()):
            job = self._jobs.get()
            if job is None:
                if group:
                    self._jobs.put(None)
                break
            group.append(job)
        return group

    def _commit(self, connection: apsw.Connection, group: list[_Job]) -> None:
        try:
            try:
                results = _transaction(connection, group)
            except apsw.FullError:
                if not self._reserve.give_up():
                    raise
                results = _transaction(connection, group)
        except apsw.Error as error:
            failure = StateError(f"{self.path}: {error}")
            failure.__cause__ = error
            self._tell(self._failed, failure)  # before those who wait: they may count on its being known
            self._tell(self._resolve, group, [_Result(error=failure)] * len(group))
        else:
            self._tell(self._resolve, group, results)
            self._reserve.take_back()

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop was closed without closing the state
            _log.warning("%s: nobody is left to hear of a commit", self.path)

    # From here on: the loop again.

    def _resolve(self, group: list[_Job], results: list[_Result]) -> None:
        for job, result in zip(group, results, strict=True):
            value = job.then(result.value) if result.error is None else None
            if job.future.done():  # whoever waited was cancelled; a commit stands all the same
                if result.error is not None:
                    _log.error("not stored: %s", result.error)
            elif result.error is None:
                job.future.set_result(value)
            else:
                job.future.set_exception(result.error)

    def _end(self, unfinished: list[_Job]) -> None:
        """`unfinished` is what the thread had in hand when something unforeseen ended it."""
        if self._ended is None:
            self._ended = StateEndedError(f"{self.path}: the writer thread has ended; restart the agent")
            self._failed(self._ended)
        while not self._jobs.empty():
            if (job := self._jobs.get()) is not None:
                unfinished.append(job)
        self._resolve(unfinished, [_Result(error=self._ended)] * len(unfinished))
        self._settle(self._finished, None)

    @staticmethod
    def _settle(future: "asyncio.Future[None]", error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def _transaction(connection: apsw.Connection, group: list[_Job]) -> list[_Result]:
    connection.execute("BEGIN")
    try:
        results = [_attempt(connection, job) for job in group]
        connection.execute("COMMIT")
    except apsw.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return results


def _attempt(connection: apsw.Connection, job: _Job) -> _Result:
    connection.execute("SAVEPOINT job")
    try:
        value = job.work(connection)
    except BaseException as error:
        if isinstance(error, _FATAL) or not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")
        if isinstance(error, apsw.Error):
            failure = StateError(f"{connection.filename}: {error}")
            failure.__cause__ = error
            return _Result(error=failure)
        return _Result(error=error)
    connection.execute("RELEASE job")
    return _Result(value=value)


def _connect(path: Path) -> apsw.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():  # never opened twice: closing a second descriptor would drop SQLite's locks
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StateError(f"{path.parent}: cannot be used as state folder: {error.strerror or error}") from error
    connection = None
    try:
        connection = apsw.Connection(str(path))
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        migrate(connection, path)
    except (apsw.Error, StateError) as error:
        if connection is not None:
            connection.close()
        if isinstance(error, StateError):
            raise
        why = "in use by another guardian-agent" if isinstance(error, apsw.BusyError) else str(error)
        raise StateError(f"{path}: {why}") from error
    return connection


def _log_failure(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        _log.error("not stored: %s", error, exc_info=None if isinstance(error, StateError) else error)
