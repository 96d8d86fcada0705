"""Writes records into the tables that questions are asked of."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import apsw

from guardian_aggregator.model import (
    MAX_INTEGER,
    ConditionRow,
    ExecutionRow,
    GapRow,
    IncidentRow,
    PageRow,
    PlaybookRow,
    RecordEntry,
    Row,
    SelfHealthRow,
    TransitionRow,
)
from guardian_aggregator.store.rollups import put_label_set
from guardian_aggregator.store.tables import (
    CONDITIONS,
    EXECUTIONS,
    GAPS,
    INCIDENTS,
    PAGES,
    PLAYBOOKS,
    SELF_HEALTH,
    TRANSITIONS,
    Table,
)

Tally = Counter[tuple[str, str]]  # (name, label) of the counters table

_RECORD_SQL = "INSERT INTO records (stream, seq, last_seq, kind, raw) VALUES (?, ?, ?, ?, ?)"
_COUNT_SQL = (
    "INSERT INTO counters (name, label, value) VALUES (:name, :label, :number)"
    " ON CONFLICT (name, label) DO UPDATE SET value = CASE WHEN value > :most - excluded.value THEN :most"
    " ELSE value + excluded.value END"  # a sum beyond SQLite's integers would be a REAL, which the table refuses
)


def put_records(connection: apsw.Connection, stream: int, entries: Sequence[RecordEntry]) -> Tally:
    """Stores the bytes of each record and the row made of it; returns what there is to count."""
    connection.executemany(
        _RECORD_SQL, [(stream, entry.seq, entry.last_seq, entry.kind, entry.raw) for entry in entries]
    )
    tally: Tally = Counter()
    for entry in entries:
        tally["records", entry.kind] += 1
        if entry.unknown_values:
            tally["unknown_values", ""] += entry.unknown_values
        if entry.truncated:
            tally["truncated", ""] += entry.truncated
        if entry.row is not None:
            tally += _put_row(connection, stream, entry.row)
        elif entry.kind != "unknown":
            tally["invalid", ""] += 1
    return tally


def _put_row(connection: apsw.Connection, stream: int, row: Row) -> Tally:
    match row:
        case IncidentRow():
            return Counter({("foreign", ""): int(not put_incident(connection, row))})
        case ExecutionRow():
            return Counter({("foreign", ""): int(not put_execution(connection, row))})
        case TransitionRow():
            put_transition(connection, row)
        case PageRow():
            put_page(connection, row)
        case SelfHealthRow():
            put_self_health(connection, row)
        case GapRow():
            return put_gap(connection, stream, row)
    return Counter()


def put_incident(connection: apsw.Connection, row: IncidentRow) -> bool:
    """Replaces the incident of that id; False when another agent has that id, which then stays as it is.

    One that is closed stays closed: a restored outbox may send an older state of it again.
    """
    return _put_own(connection, INCIDENTS, row, over="incidents.closed_at IS NULL OR excluded.closed_at IS NOT NULL")


def put_execution(connection: apsw.Connection, row: ExecutionRow) -> bool:
    """Replaces the execution of that id; False when it or its incident is another agent's, and all stays as it is.

    One that has ended stays so.
    """
    if _owner(connection, INCIDENTS, row.incident_id) not in (None, row.agent_id):
        return False
    return _put_own(connection, EXECUTIONS, row, over="executions.outcome IS NULL OR excluded.outcome IS NOT NULL")


def put_transition(connection: apsw.Connection, row: TransitionRow) -> None:
    """Adds the transition and makes it the condition's newest state."""
    connection.execute(TRANSITIONS.insert_sql, TRANSITIONS.bindings(row))
    newest = ConditionRow(
        agent_id=row.agent_id,
        probe=row.probe,
        target=row.target,
        layer=row.layer,
        state=row.to_state,
        issue_type=row.issue_type,
        evidence=row.evidence,
        at=row.at,
        first_seen=row.first_seen,
    )
    connection.execute(CONDITIONS.upsert_sql, CONDITIONS.bindings(newest))


def put_page(connection: apsw.Connection, row: PageRow) -> bool:
    """Adds the page; False when there is one of that id already."""
    connection.execute(f"{PAGES.insert_sql} ON CONFLICT DO NOTHING", PAGES.bindings(row))
    return connection.changes() > 0


def put_self_health(connection: apsw.Connection, row: SelfHealthRow) -> None:
    """Makes this the agent's newest word about itself: records come in the order in which they were made."""
    connection.execute(SELF_HEALTH.upsert_sql, SELF_HEALTH.bindings(row))


def put_gap(connection: apsw.Connection, stream: int, row: GapRow) -> Tally:
    """Adds the gap; returns what there is to count."""
    connection.execute(
        "INSERT INTO gaps (stream, agent_id, first_seq, last_seq, reason, counts, at)"
        " VALUES (:stream, :agent_id, :first_seq, :last_seq, :reason, :counts, :at)",
        GAPS.bindings(row) | {"stream": stream},
    )
    return Counter({("gaps", row.reason): 1, ("gap_records", row.reason): row.last_seq - row.first_seq + 1})


def lost_through(connection: apsw.Connection, stream: int) -> int:
    """The highest record of the stream that was acknowledged here and then lost; 0 when none was."""
    sql = "SELECT ifnull(max(last_seq), 0) FROM gaps WHERE stream = ? AND reason = 'lost_by_server'"
    return next(int(seq) for (seq,) in connection.execute(sql, (stream,)))


def put_playbooks(connection: apsw.Connection, agent_id: str, rows: Iterable[PlaybookRow]) -> None:
    """Makes these the agent's playbooks."""
    connection.execute("DELETE FROM playbooks WHERE agent_id = ?", (agent_id,))
    for row in rows:
        connection.execute(PLAYBOOKS.upsert_sql, PLAYBOOKS.bindings(row) | {"agent_id": agent_id})


def drop_unwatched(connection: apsw.Connection, agent_id: str) -> None:
    """Forgets the states of conditions that the agent no longer looks at: nobody would ever say that they are well."""
    connection.execute(
        "DELETE FROM condition_states WHERE agent_id = :agent_id AND probe || '/' || target NOT IN"
        " (SELECT value FROM agents, json_each(watches) WHERE agent_id = :agent_id)",
        {"agent_id": agent_id},
    )


def put_labels(connection: apsw.Connection, agent_id: str, labels: dict[str, str]) -> None:
    """Makes these the labels of the agent, which is stored."""
    if not put_label_set(connection, agent_id, labels):
        return
    connection.execute("DELETE FROM agent_labels WHERE agent_id = ?", (agent_id,))
    connection.executemany(
        "INSERT INTO agent_labels (agent_id, key, value) VALUES (?, ?, ?)",
        [(agent_id, key, value) for key, value in labels.items()],
    )


def count(connection: apsw.Connection, tally: Tally) -> None:
    """Adds to the durable counters, which stay at the largest integer once they are there."""
    connection.executemany(
        _COUNT_SQL,
        [
            {"name": name, "label": label, "number": min(number, MAX_INTEGER), "most": MAX_INTEGER}
            for (name, label), number in tally.items()
            if number
        ],
    )


def _put_own(connection: apsw.Connection, table: Table[Any], row: IncidentRow | ExecutionRow, *, over: str) -> bool:
    """Writes a row over the one of its id only where `over` holds and the agent is the same; False: it is not."""
    bindings = table.bindings(row)
    connection.execute(f"{table.upsert_sql} WHERE {table.name}.agent_id = excluded.agent_id AND ({over})", bindings)
    return connection.changes() > 0 or _owner(connection, table, bindings[table.key]) == row.agent_id


def _owner(connection: apsw.Connection, table: Table[Any], key: str) -> str | None:
    """The agent whose row that is; None where there is no such row."""
    sql = f"SELECT agent_id FROM {table.name} WHERE {table.key} = ?"  # noqa: S608 (our own names)
    return next((str(agent_id) for (agent_id,) in connection.execute(sql, (key,))), None)
