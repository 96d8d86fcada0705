"""Which incidents and executions one transaction changes, and what they were before it."""

from collections.abc import Iterator
from typing import NamedTuple

import apsw

from guardian_aggregator.store.rollups.contribution import ExecutionState, IncidentState


class _Watched(NamedTuple):
    table: str
    key: str
    columns: tuple[str, ...]

    def schema(self) -> str:
        """A temporary table for what the rows were, and triggers that fill it. Only the first change of each counts.

        Rows that are deleted are those whose time is over: what they came to stays.
        """
        noted, key, names = f"touched_{self.table}", self.key, ", ".join(self.columns)
        before = ", ".join(f"OLD.{name}" for name in self.columns)
        unseen = f"WHEN NOT EXISTS (SELECT 1 FROM {noted} WHERE {key} = NEW.{key})"  # noqa: S608 (our own names)
        return f"""
            CREATE TEMP TABLE IF NOT EXISTS {noted} ({key} TEXT PRIMARY KEY, was INTEGER NOT NULL, {names})
              WITHOUT ROWID;
            CREATE TEMP TRIGGER IF NOT EXISTS added_{self.table} AFTER INSERT ON main.{self.table} {unseen} BEGIN
              INSERT INTO {noted} ({key}, was) VALUES (NEW.{key}, 0);
            END;
            CREATE TEMP TRIGGER IF NOT EXISTS changed_{self.table} AFTER UPDATE ON main.{self.table} {unseen} BEGIN
              INSERT INTO {noted} ({key}, was, {names}) VALUES (OLD.{key}, 1, {before});
            END;
        """  # noqa: S608

    def changes(self, connection: apsw.Connection) -> Iterator[tuple[bool, tuple[object, ...], tuple[object, ...]]]:
        """Of each: whether it was there, what it was, what it is."""
        ours = ", ".join(f"t.{name}" for name in self.columns)
        now = ", ".join(f"r.{name}" for name in self.columns)
        sql = f"SELECT was, {ours}, {now} FROM touched_{self.table} t JOIN {self.table} r USING ({self.key})"  # noqa: S608
        width = len(self.columns)
        for was, *values in connection.execute(sql):
            yield bool(was), tuple(values[:width]), tuple(values[width:])


_INCIDENTS = _Watched("incidents", "incident_id", IncidentState._fields)
_EXECUTIONS = _Watched("executions", "execution_id", ExecutionState._fields)


def watch(connection: apsw.Connection) -> None:
    """From here on every change of this connection is noted."""
    for watched in (_INCIDENTS, _EXECUTIONS):
        connection.execute(watched.schema())


def anything(connection: apsw.Connection) -> bool:
    sql = "SELECT EXISTS (SELECT 1 FROM touched_incidents) OR EXISTS (SELECT 1 FROM touched_executions)"
    return next(bool(found) for (found,) in connection.execute(sql))


def incidents(connection: apsw.Connection) -> Iterator[tuple[IncidentState | None, IncidentState]]:
    """What each incident that changed was (None: new), and is."""
    for was, before, now in _INCIDENTS.changes(connection):
        yield IncidentState(*before) if was else None, IncidentState(*now)  # type: ignore[arg-type]  # a strict table's


def executions(connection: apsw.Connection) -> Iterator[tuple[ExecutionState | None, ExecutionState]]:
    """What each execution that changed was (None: new), and is."""
    for was, before, now in _EXECUTIONS.changes(connection):
        yield ExecutionState(*before) if was else None, ExecutionState(*now)  # type: ignore[arg-type]


def forget(connection: apsw.Connection) -> None:
    """The next transaction begins."""
    connection.execute("DELETE FROM touched_incidents; DELETE FROM touched_executions")
