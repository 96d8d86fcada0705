"""What statistics are made of: read from the rollups, or, of one host, from its few rows."""

from collections.abc import Iterable
from typing import NamedTuple

import apsw
import msgspec

from guardian_aggregator.store.filter import EXECUTION_COLUMNS, HOST_COLUMNS, INCIDENT_COLUMNS, Filter, where
from guardian_aggregator.store.rollups import (
    Contribution,
    ExecutionState,
    IncidentState,
    Kind,
    Numbers,
    RollupReader,
    Sums,
    of_execution,
    of_incident,
    sums_of,
)


class OpenIncident(NamedTuple):
    """A counted incident that has not closed, and when its host was last heard; None: it is not known at all."""

    issue_type: str
    playbook: str
    first_bad_at: int
    contradictory: int  # it says how it ended all the same
    recurrence: int
    connected: int | None
    last_seen_at: int | None


class AgentCounts(NamedTuple):
    """How many hosts there are, and of what."""

    total: int
    connected: int
    stale: int
    clocks_off: int


def ended_recoveries(connection: apsw.Connection, reader: RollupReader, f: Filter) -> dict[Kind, Sums]:
    """The counted incidents that closed."""
    if _is_of_many(f):
        return reader.read("recovery", f)
    condition, bindings = where(f, INCIDENT_COLUMNS)
    sql = f"SELECT {', '.join(IncidentState._fields)} FROM incidents WHERE {condition}"  # noqa: S608 (our own names)
    found = (of_incident(IncidentState(*row)) for row in connection.execute(sql, bindings))
    return _grouped(found)


def executions(connection: apsw.Connection, reader: RollupReader, f: Filter) -> dict[Kind, Sums]:
    """All executions, ended or not."""
    if _is_of_many(f):
        return reader.read("execution", f)
    condition, bindings = where(f, EXECUTION_COLUMNS)
    sql = f"SELECT {', '.join(ExecutionState._fields)} FROM executions WHERE {condition}"  # noqa: S608
    return _grouped(of_execution(ExecutionState(*row)) for row in connection.execute(sql, bindings))


def open_incidents(connection: apsw.Connection, f: Filter) -> list[OpenIncident]:
    """The counted incidents that have not closed."""
    condition, bindings = where(f, INCIDENT_COLUMNS)
    counted = f"closed_at IS NULL AND explained_by = '' AND NOT held AND {condition}"
    told = "issue_type, healed_by, first_bad_at, resolution IS NOT NULL, recurrence, connected, last_seen_at"
    sql = f"SELECT {told} FROM (SELECT * FROM incidents WHERE {counted}) LEFT JOIN agents USING (agent_id)"  # noqa: S608
    return [OpenIncident(*row) for row in connection.execute(sql, bindings)]


def agents(connection: apsw.Connection, f: Filter, heard_since_ns: int, clock_off_s: float) -> AgentCounts:
    """Hosts; stale: not connected, and last heard before `heard_since_ns`."""
    condition, bindings = where(f, HOST_COLUMNS)
    stale = "total(NOT connected AND last_seen_at < :heard_since)"
    told = f"count(*), total(connected), {stale}, total(abs(clock_offset_seconds) > :clock_off)"
    given = {**bindings, "heard_since": heard_since_ns, "clock_off": clock_off_s}
    (counts,) = connection.execute(f"SELECT {told} FROM agents WHERE {condition}", given)  # noqa: S608 (our own names)
    return AgentCounts(*map(int, counts))


def last_runs(connection: apsw.Connection, reader: RollupReader, f: Filter) -> dict[str, int]:
    """When each playbook last started (wall nanoseconds): by the newest row of each, not by all."""
    found: dict[str, int] = {}
    for playbook in reader.playbooks() if f.playbook is None else {f.playbook}:
        condition, bindings = where(msgspec.structs.replace(f, playbook=playbook), EXECUTION_COLUMNS)
        sql = f"SELECT started_at FROM executions WHERE {condition} ORDER BY started_at DESC LIMIT 1"  # noqa: S608
        for (at,) in connection.execute(sql, bindings):
            found[playbook] = int(str(at))
    return found


def _is_of_many(f: Filter) -> bool:
    return f.host is None and f.component is None


def _grouped(found: Iterable[Contribution | None]) -> dict[Kind, Sums]:
    rows: dict[Kind, list[tuple[int, Numbers]]] = {}
    for each in found:
        if each is not None:
            kind = Kind(each.group.issue_type, each.group.playbook, each.group.ending)
            rows.setdefault(kind, []).append((each.bucket, each.numbers))
    return {kind: sums_of(these) for kind, these in rows.items()}
