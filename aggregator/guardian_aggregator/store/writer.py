"""The one writer: whatever waits to be written goes into one transaction, and one fsync makes all of it durable."""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

import apsw

from guardian_aggregator.errors import StoreError

T = TypeVar("T")
Work = Callable[[apsw.Connection], T]

_log = logging.getLogger(__name__)
_JOBS_A_COMMIT = 256  # bounds how long the first of a group waits for the others' writing


class _Job(Generic[T]):
    def __init__(self, work: Work[T]) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self.loop.create_future()
        self.outcome: T | BaseException

    def deliver(self) -> None:
        if self.future.done():  # whoever asked has gone
            return
        if isinstance(self.outcome, BaseException):
            self.future.set_exception(self.outcome)
        else:
            self.future.set_result(self.outcome)


class Writer:
    """Runs pieces of work on the write connection, in the order in which they were asked for, in one thread."""

    def __init__(self, connection: apsw.Connection, each_commit: Work[None]) -> None:
        """`each_commit` is done once in every transaction, last."""
        self._connection = connection
        self._each_commit = each_commit
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-write", daemon=True)
        self._closed = False
        self._busy = False
        self._finished = 0
        self._failure: str | None = None
        self._thread.start()

    @property
    def pulse(self) -> int | None:
        """How many transactions have ended, well or badly; None while there is nothing to write."""
        idle = self._jobs.empty() and not self._busy and self._thread.is_alive()
        return None if idle else self._finished

    @property
    def failure(self) -> str | None:
        """Why the newest transaction could not be stored; None when it was."""
        return self._failure

    async def write(self, work: Work[T]) -> T:
        """Does `work`, and returns what it returned once that is durable.

        What `work` raises undoes what it wrote, and nothing of what others wrote.

        Raises:
            StoreError: the database cannot be written; nothing of it is stored.
        """
        if self._closed:
            raise StoreError("the store is closed")
        job = _Job(work)
        self._jobs.put(job)
        return await job.future

    def close(self) -> None:
        """Writes what is waiting, then closes the connection. Later calls of `write` raise StoreError."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            self._thread.join()
            self._connection.close()

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            self._busy = True
            group, more = self._group(first)
            self._failure = self._transact(group)
            self._finished += 1
            self._busy = False
            _deliver(group)
            if not more:
                return

    def _group(self, first: _Job[Any]) -> tuple[list[_Job[Any]], bool]:
        """`first` and what else waits; and whether to go on after it."""
        group = [first]
        with suppress(queue.Empty):
            while len(group) < _JOBS_A_COMMIT:
                job = self._jobs.get_nowait()
                if job is None:
                    return group, False
                group.append(job)
        return group, True

    def _transact(self, group: list[_Job[Any]]) -> str | None:
        """Writes the group in one transaction; what kept it from being stored, if anything did."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in group:
                job.outcome = self._attempt(job.work)
            self._each_commit(self._connection)
            self._connection.execute("COMMIT")
        except apsw.Error as error:
            _log.error("nothing could be stored: %s", error)
            with suppress(apsw.Error):  # SQLite may have rolled back by itself
                self._connection.execute("ROLLBACK")
            for job in group:
                job.outcome = StoreError(f"the store cannot be written: {error}")
            return str(error) or type(error).__name__
        return None

    def _attempt(self, work: Work[T]) -> T | BaseException:
        """One job in a savepoint of its own: its failure is its own, unless it is the database's."""
        # Not apsw's `with connection`: where SQLite has rolled back by itself, that hides why.
        self._connection.execute("SAVEPOINT job")
        failure: BaseException
        try:
            outcome = work(self._connection)
        except apsw.ConstraintError as error:
            _log.exception("the store's alarm: this should have been kept out before")
            failure = StoreError(f"the store refused a row: {error}")
        except apsw.Error:
            raise
        except Exception as error:  # noqa: BLE001 (it belongs to whoever asked, and is raised there)
            failure = error
        else:
            self._connection.execute("RELEASE job")
            return outcome
        self._connection.execute("ROLLBACK TO job; RELEASE job")
        return failure


def _deliver(group: list[_Job[Any]]) -> None:
    """Hands the outcomes to the loops that wait for them, with one wake-up a loop."""
    for loop in {job.loop for job in group}:
        jobs = [job for job in group if job.loop is loop]
        with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            loop.call_soon_threadsafe(_deliver_here, jobs)


def _deliver_here(jobs: list[_Job[Any]]) -> None:
    for job in jobs:
        job.deliver()
