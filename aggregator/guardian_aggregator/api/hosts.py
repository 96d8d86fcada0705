"""Hosts: who has ever said Hello, and how each is."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from guardian_aggregator.api.call import Call, found
from guardian_aggregator.api.endpoints import endpoint
from guardian_aggregator.api.incidents import Incident, tell_incident
from guardian_aggregator.api.moments import moment
from guardian_aggregator.api.osi import LayerHealth, judge_layers
from guardian_aggregator.api.parameters import HOSTS, PAGE, identifier
from guardian_aggregator.api.recoveries import clock_offset, stale
from guardian_aggregator.model import AgentRow, SelfHealthRow
from guardian_aggregator.store import Filter

_MOST_OPEN = 100


class SelfHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the agent itself fared in the `over_seconds` before `at`.

    `loop_lag_worst_seconds`: how late a timer ran at most. `waited_for_cpu_seconds`: how long its threads were ready to
    run and did not, together. `looks_late`: looks that say nothing because the agent itself was late.
    """

    at: datetime
    over_seconds: float
    cpu_seconds: float
    resident_bytes: int
    loop_lag_worst_seconds: float
    waited_for_cpu_seconds: float
    looks: int
    looks_unknown: int
    looks_late: int


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """`records`: how many of its records are stored; `watermark`: the newest, in its present stream.

    `clock_offset_seconds`: how far its clock is ahead of the aggregator's; null where that is not known. `self_health`:
    the agent's newest word about itself; null before its first.
    """

    id: str
    labels: dict[str, str]
    version: str
    mode: str
    boot_id: str
    targets: list[str]
    connected: bool
    stale: bool
    first_seen_at: datetime
    last_seen_at: datetime
    clock_offset_seconds: float | None
    records: int
    watermark: int
    self_health: SelfHealth | None


class HostDetail(Host, frozen=True, kw_only=True):
    """A host with the health of its layers and its newest open incidents, at most 100."""

    layers: list[LayerHealth]
    open_incidents: list[Incident]


class HostList(msgspec.Struct, frozen=True, kw_only=True):
    """By id."""

    hosts: list[Host]
    next_cursor: str | None


@endpoint("/api/guardian/hosts", *HOSTS, *PAGE)
async def hosts(call: Call) -> HostList:
    """Hosts, by id."""
    rows = await call.queries.agents(call.filter(None))
    health = await call.queries.self_health(call.filter(None))
    page, next_cursor = call.page(rows, [row.agent_id for row in rows])
    told = [Host(**_fields(row, health.get(row.agent_id), call.now_ns)) for row in page]
    return HostList(hosts=told, next_cursor=next_cursor)


@endpoint("/api/guardian/hosts/{id}", identifier("A host's id."))
async def host(call: Call) -> HostDetail:
    """One host with its layers and open incidents."""
    wanted = Filter(host=call.values["id"])
    rows = await call.queries.agents(wanted)
    row = found(rows[0] if rows else None, "host")
    health = await call.queries.self_health(wanted)
    troubles = await call.queries.incidents(msgspec.structs.replace(wanted, open=True), _MOST_OPEN)
    return HostDetail(
        layers=await judge_layers(call, wanted),
        open_incidents=[tell_incident(each, None) for each in troubles],
        **_fields(row, health.get(row.agent_id), call.now_ns),
    )


def _fields(row: AgentRow, health: SelfHealthRow | None, now_ns: int) -> Mapping[str, Any]:
    return {
        "id": row.agent_id,
        "labels": row.labels,
        "version": row.agent_version,
        "mode": row.mode,
        "boot_id": row.boot_id,
        "targets": list(row.targets),
        "connected": row.connected,
        "stale": stale(row, now_ns),
        "first_seen_at": moment(row.first_seen_at),
        "last_seen_at": moment(row.last_seen_at),
        "clock_offset_seconds": clock_offset(row),
        "records": row.records,
        "watermark": row.watermark,
        "self_health": None if health is None else _tell_self_health(health),
    }


def _tell_self_health(row: SelfHealthRow) -> SelfHealth:
    fields = {name: value for name, value in msgspec.structs.asdict(row).items() if name not in {"agent_id", "at"}}
    return SelfHealth(at=moment(row.at), **fields)
