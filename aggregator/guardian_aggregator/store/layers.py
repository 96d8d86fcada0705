"""What the probes of each layer last said, counted where it is stored: a fleet has some millions of conditions."""

from typing import NamedTuple

import apsw

from guardian_aggregator.store.filter import CONDITION_COLUMNS, Filter, where

_SILENT = "ifnull(NOT connected AND last_seen_at < :heard_since, 0)"


class LayerCounts(NamedTuple):
    """Conditions of one layer, and the hosts that have any. Those of silent hosts are neither failing nor ok."""

    hosts: int
    hosts_failing: int
    hosts_ok: int  # something is ok, and nothing fails
    hosts_silent: int
    conditions: int
    failing: int
    ok: int


class FailingCondition(NamedTuple):
    """One condition that fails, of a host that is heard."""

    layer: int
    agent_id: str
    target: str
    probe: str
    issue_type: str
    first_seen: int


def layer_counts(connection: apsw.Connection, f: Filter, heard_since_ns: int) -> dict[int, LayerCounts]:
    """By layer; those of which there is no condition are left out. Not narrowed by the window."""
    condition, bindings = where(f, CONDITION_COLUMNS)
    by_host = (
        "SELECT layer, agent_id, count(*) AS conditions, sum(state = 'failing') AS failing, sum(state = 'ok') AS ok"  # noqa: S608
        f" FROM condition_states WHERE {condition} GROUP BY layer, agent_id"
    )
    heard = (
        f"SELECT layer, conditions, {_SILENT} AS silent, failing * NOT {_SILENT} AS failing, ok * NOT {_SILENT} AS ok"  # noqa: S608
        f" FROM ({by_host}) LEFT JOIN agents USING (agent_id)"
    )
    sql = (
        "SELECT layer, count(*), sum(failing > 0), sum(failing = 0 AND ok > 0), sum(silent), sum(conditions),"  # noqa: S608
        f" sum(failing), sum(ok) FROM ({heard}) GROUP BY layer"
    )
    found = connection.execute(sql, {**bindings, "heard_since": heard_since_ns})
    return {layer: LayerCounts(*counts) for layer, *counts in found}


def failing_conditions(
    connection: apsw.Connection, f: Filter, heard_since_ns: int, layer: int, limit: int
) -> list[FailingCondition]:
    """The first of one layer by host, probe and target."""
    condition, bindings = where(f, CONDITION_COLUMNS)
    told = ", ".join(FailingCondition._fields)
    sql = (
        f"SELECT {told} FROM condition_states LEFT JOIN agents USING (agent_id)"  # noqa: S608 (our own names)
        f" WHERE layer = :of_layer AND state = 'failing' AND NOT {_SILENT} AND {condition}"
        " ORDER BY agent_id, probe, target LIMIT :limit"
    )
    given = {**bindings, "heard_since": heard_since_ns, "of_layer": layer, "limit": limit}
    return [FailingCondition(*row) for row in connection.execute(sql, given)]
