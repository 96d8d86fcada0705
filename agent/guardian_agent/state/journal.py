"""Incidents, executions, counters and remembered values, as rows. All of it runs on the writer thread."""

import apsw
import msgspec

from guardian_agent.model import Outcome, PlaybookCounters

KEPT = 500  # closed incidents, and finished executions, that stay in the journal

_NOT_RUN = frozenset({Outcome.DRY_RUN, Outcome.DENIED, Outcome.SUPERSEDED})
_SUCCESS = frozenset({Outcome.HEALED, Outcome.COMPLETED})
_FAILURE = frozenset(
    {Outcome.INEFFECTIVE, Outcome.ROLLED_BACK, Outcome.STUCK, Outcome.INTERRUPTED, Outcome.INCONCLUSIVE}
)


class IncidentRow(msgspec.Struct, frozen=True):
    """An incident as JSON, and what its row is found by."""

    incident_id: str
    closed: bool
    body: bytes

    def put(self, connection: apsw.Connection) -> None:
        """Writes the row, in the place of an older one with the same id."""
        connection.execute(
            "INSERT INTO incident (incident_id, closed, body) VALUES (?, ?, ?)"
            " ON CONFLICT (incident_id) DO UPDATE SET closed = excluded.closed, body = excluded.body",
            (self.incident_id, self.closed, self.body),
        )
        if self.closed:
            connection.execute(
                "DELETE FROM incident WHERE closed = 1 AND number <="
                " (SELECT number FROM incident WHERE closed = 1 ORDER BY number DESC LIMIT 1 OFFSET ?)",
                (KEPT,),
            )


class ExecutionRow(msgspec.Struct, frozen=True):
    """An execution as JSON, and what its row and its playbook's counters need."""

    execution_id: str
    playbook: str
    outcome: Outcome | None
    started_wall_ns: int
    body: bytes

    def put(self, connection: apsw.Connection) -> None:
        """Writes the row; with its first outcome it moves the playbook's counters, once."""
        query = "SELECT finished FROM execution WHERE execution_id = ?"
        before = connection.execute(query, (self.execution_id,)).fetchone()
        finished_before = before is not None and bool(before[0])
        connection.execute(
            "INSERT INTO execution (execution_id, finished, body) VALUES (?, ?, ?)"
            " ON CONFLICT (execution_id) DO UPDATE SET finished = excluded.finished, body = excluded.body",
            (self.execution_id, self.outcome is not None or finished_before, self.body),
        )
        if self.outcome is not None and not finished_before:
            self._count(connection, self.outcome)
            connection.execute(
                "DELETE FROM execution WHERE finished = 1 AND number <="
                " (SELECT number FROM execution WHERE finished = 1 ORDER BY number DESC LIMIT 1 OFFSET ?)",
                (KEPT,),
            )

    def _count(self, connection: apsw.Connection, outcome: Outcome) -> None:
        if outcome in _NOT_RUN:
            return
        connection.execute(
            "INSERT INTO counter VALUES (?, 1, ?, ?, ?) ON CONFLICT (playbook) DO UPDATE SET"
            " executions = executions + 1, successes = successes + excluded.successes,"
            " failures = failures + excluded.failures,"
            " last_run_wall_ns = max(last_run_wall_ns, excluded.last_run_wall_ns)",
            (self.playbook, outcome in _SUCCESS, outcome in _FAILURE, self.started_wall_ns),
        )


class MemoryRow(msgspec.Struct, frozen=True):
    """A remembered value as JSON; None: it is to be forgotten."""

    kind: str
    key: str
    value: bytes | None

    def put(self, connection: apsw.Connection) -> None:
        """Writes the value in the place of an older one, or deletes it."""
        if self.value is None:
            connection.execute("DELETE FROM memory WHERE kind = ? AND key = ?", (self.kind, self.key))
        else:
            connection.execute("INSERT OR REPLACE INTO memory VALUES (?, ?, ?)", (self.kind, self.key, self.value))


def incidents(connection: apsw.Connection) -> list[tuple[str, bytes]]:
    """Id and body of each incident that is kept, oldest first."""
    return list(connection.execute("SELECT incident_id, body FROM incident ORDER BY number"))


def open_incidents(connection: apsw.Connection) -> list[tuple[str, bytes]]:
    """Id and body of each incident that is not closed, oldest first."""
    return list(connection.execute("SELECT incident_id, body FROM incident WHERE closed = 0 ORDER BY number"))


def unfinished_executions(connection: apsw.Connection) -> list[tuple[str, bytes]]:
    """Id and body of each execution without an outcome, oldest first."""
    return list(connection.execute("SELECT execution_id, body FROM execution WHERE finished = 0 ORDER BY number"))


def recent_executions(connection: apsw.Connection, limit: int) -> list[tuple[str, bytes]]:
    """Id and body of the newest executions, newest first; a negative limit: all that are kept."""
    return list(connection.execute("SELECT execution_id, body FROM execution ORDER BY number DESC LIMIT ?", (limit,)))


def remembered(connection: apsw.Connection, kind: str) -> list[tuple[str, bytes]]:
    """Key and value of everything remembered of one kind."""
    return list(connection.execute("SELECT key, value FROM memory WHERE kind = ? ORDER BY key", (kind,)))


def counters(connection: apsw.Connection) -> dict[str, PlaybookCounters]:
    """Each playbook that has ever run here, with its counters."""
    rows = connection.execute("SELECT playbook, executions, successes, failures, last_run_wall_ns FROM counter")
    return {
        playbook: PlaybookCounters(
            executions=executions, successes=successes, failures=failures, last_run_wall_ns=last_run
        )
        for playbook, executions, successes, failures, last_run in rows
    }
