"""Brings the rollups, and the columns that rest on other rows, up to what the rows say now."""

from collections.abc import Iterable, Iterator, Mapping

import apsw
import msgspec

from guardian_aggregator.store.rollups import touched
from guardian_aggregator.store.rollups.contribution import (
    DAY_S,
    FLEET,
    Cell,
    Contribution,
    Group,
    Numbers,
    of_execution,
    of_incident,
    together,
)

_DAY_NS = 86_400 * 1_000_000_000
_LOOK_BACK_NS = 2 * _DAY_NS  # for what an incident may be a recurrence of: a day long at most, ended at most a day ago

_EXECUTIONS_SQL = """
UPDATE executions SET layer = new.layer, label_set = new.label_set FROM (
  SELECT e.execution_id, ifnull(i.layer, 0) AS layer, ifnull(a.label_set, 1) AS label_set
  FROM executions e
  LEFT JOIN incidents i ON i.incident_id = e.incident_id AND i.agent_id = e.agent_id
  LEFT JOIN agents a ON a.agent_id = e.agent_id
  WHERE e.execution_id IN (
    SELECT execution_id FROM touched_executions
    UNION SELECT execution_id FROM touched_incidents JOIN executions USING (incident_id))
) AS new WHERE executions.execution_id = new.execution_id
  AND (executions.layer <> new.layer OR executions.label_set <> new.label_set)
"""

# An incident's end, as it was and as it is, may make those after it recurrences, or no longer.
_INCIDENTS_SQL = """
WITH episodes (agent_id, target, issue_type, start, ended) AS (
  SELECT i.agent_id, t.target, t.issue_type, t.first_bad_at, ifnull(t.verified_at, t.closed_at)
  FROM touched_incidents t JOIN incidents i USING (incident_id) WHERE t.closed_at IS NOT NULL
  UNION
  SELECT i.agent_id, i.target, i.issue_type, i.first_bad_at, ifnull(i.verified_at, i.closed_at)
  FROM touched_incidents JOIN incidents i USING (incident_id) WHERE i.closed_at IS NOT NULL
), affected (incident_id) AS (
  SELECT incident_id FROM touched_incidents
  UNION SELECT e.incident_id FROM touched_executions JOIN executions e USING (execution_id)
  UNION SELECT incident_id FROM touched_executions WHERE was
  UNION SELECT i.incident_id FROM episodes e JOIN incidents i USING (agent_id, target, issue_type)
    WHERE i.first_bad_at BETWEEN e.start AND min(e.ended + :day, e.start + :look_back)
)
UPDATE incidents SET healed_by = new.healed_by, label_set = new.label_set, recurrence = new.recurrence FROM (
  SELECT i.incident_id, ifnull(a.label_set, 1) AS label_set,
    ifnull((SELECT e.playbook FROM executions e
      WHERE e.incident_id = i.incident_id AND e.agent_id = i.agent_id AND e.outcome = 'healed'
      ORDER BY e.finished_at DESC, e.execution_id DESC LIMIT 1), '') AS healed_by,
    i.explained_by = '' AND NOT i.held AND ifnull(i.first_bad_at - (
      SELECT max(ifnull(p.verified_at, p.closed_at)) FROM incidents p
      WHERE p.agent_id = i.agent_id AND p.target = i.target AND p.issue_type = i.issue_type
        AND p.first_bad_at BETWEEN i.first_bad_at - :look_back AND i.first_bad_at
        AND (p.first_bad_at, p.incident_id) < (i.first_bad_at, i.incident_id)
        AND p.explained_by = '' AND NOT p.held AND p.closed_at IS NOT NULL
    ) BETWEEN 0 AND :day, 0) AS recurrence
  FROM affected JOIN incidents i USING (incident_id) LEFT JOIN agents a USING (agent_id)
) AS new WHERE incidents.incident_id = new.incident_id AND (incidents.healed_by <> new.healed_by
  OR incidents.label_set <> new.label_set OR incidents.recurrence <> new.recurrence)
"""

_GROUP_SQL = (
    "SELECT group_id FROM rollup_groups WHERE (kind, label_set, issue_type, layer, playbook, ending) = (?,?,?,?,?,?)"
)
_NEW_GROUP_SQL = "INSERT INTO rollup_groups (kind, label_set, issue_type, layer, playbook, ending) VALUES (?,?,?,?,?,?)"
_MOST = 1 << 57
"""A cell stays at this: what hosts say is not to be trusted, and one that overflows would stop every commit. Sixty of
them can still be added up."""
_SUMS = ", ".join(f"{name} = max(-{_MOST}, min({_MOST}, {name} + excluded.{name}))" for name in Numbers._fields)
_ADD_SQL = " ".join(
    (
        "INSERT INTO rollups VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        "ON CONFLICT (by_labels, grain, start, group_id, bucket) DO UPDATE SET",
        _SUMS,
    )
)
_EMPTY_SQL = "DELETE FROM rollups WHERE (by_labels, grain, start, group_id, bucket) = (?,?,?,?,?) AND total = 0"

_CHANGED_SQL = "INSERT INTO rollup_days VALUES (?, 1) ON CONFLICT (start) DO UPDATE SET changes = changes + 1"


def settle(connection: apsw.Connection) -> None:
    """Does so at the end of a transaction, for what it changed."""
    if not touched.anything(connection):
        return
    bounds = {"day": _DAY_NS, "look_back": _LOOK_BACK_NS}
    connection.execute(_EXECUTIONS_SQL)
    connection.execute(_INCIDENTS_SQL, bounds)
    changes = together(_signed(connection))
    touched.forget(connection)
    _add(connection, changes)


def rebuild(connection: apsw.Connection) -> None:
    """Makes the rollups, and all that rests on other rows, anew from the rows there are, in a transaction."""
    touched.watch(connection)
    connection.execute("DELETE FROM rollups; DELETE FROM rollup_groups")
    for agent_id, labels in list(connection.execute("SELECT agent_id, labels FROM agents")):
        put_label_set(connection, str(agent_id), msgspec.json.decode(str(labels)))
    touched.forget(connection)
    connection.execute("INSERT INTO touched_executions (execution_id, was) SELECT execution_id, 0 FROM executions")
    connection.execute("INSERT INTO touched_incidents (incident_id, was) SELECT incident_id, 0 FROM incidents")
    settle(connection)


def put_label_set(connection: apsw.Connection, agent_id: str, labels: Mapping[str, str]) -> bool:
    """Counts all that the host ever had among those with these labels; False where it was there already."""
    text = msgspec.json.encode(dict(sorted(labels.items()))).decode()
    connection.execute("INSERT INTO label_sets (labels) VALUES (?) ON CONFLICT DO NOTHING", (text,))
    ((number,),) = connection.execute("SELECT label_set FROM label_sets WHERE labels = ?", (text,))
    connection.execute("UPDATE agents SET label_set = ?1 WHERE agent_id = ?2 AND label_set <> ?1", (number, agent_id))
    if not connection.changes():
        return False
    for table in ("incidents", "executions"):
        connection.execute(f"UPDATE {table} SET label_set = ? WHERE agent_id = ?", (number, agent_id))  # noqa: S608
    return True


def _signed(connection: apsw.Connection) -> Iterator[tuple[Contribution, int]]:
    """What was counted of each row that changed, to be taken away, and what is counted of it now."""
    for before, now in touched.incidents(connection):
        yield from _change(of_incident(before) if before else None, of_incident(now))
    for was, is_ in touched.executions(connection):
        yield from _change(of_execution(was) if was else None, of_execution(is_))


def _change(before: Contribution | None, now: Contribution | None) -> Iterable[tuple[Contribution, int]]:
    if before == now:
        return ()
    return [(each, sign) for each, sign in ((before, -1), (now, 1)) if each is not None]


def _add(connection: apsw.Connection, changes: Mapping[Cell, Numbers]) -> None:
    groups = {group: _group_id(connection, group) for group in {cell.group for cell in changes}}
    keys = {
        cell: (cell.group.label_set != FLEET, cell.grain_s, cell.start_s, groups[cell.group], cell.bucket)
        for cell in changes
    }
    connection.executemany(_ADD_SQL, [(*keys[cell], *map(_bounded, numbers)) for cell, numbers in changes.items()])
    connection.executemany(_EMPTY_SQL, [keys[cell] for cell, numbers in changes.items() if numbers.total <= 0])
    days = {cell.start_s for cell in changes if cell.grain_s == DAY_S}
    connection.executemany(_CHANGED_SQL, [(start_s,) for start_s in days])


def _bounded(number: int) -> int:
    return max(-_MOST, min(_MOST, number))


def _group_id(connection: apsw.Connection, group: Group) -> int:
    for (number,) in connection.execute(_GROUP_SQL, group):
        return int(number)
    connection.execute(_NEW_GROUP_SQL, group)
    return connection.last_insert_rowid()
