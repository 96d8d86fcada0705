"""Incidents: from the first bad look to a verified recovery."""

from datetime import datetime
from typing import Any

import msgspec

from guardian_aggregator.api.call import Call, found
from guardian_aggregator.api.endpoints import endpoint
from guardian_aggregator.api.executions import Execution, tell_execution
from guardian_aggregator.api.moments import Window, moment, moment_or_none, window
from guardian_aggregator.api.parameters import FILTERS, OPEN, PAGE, TARGET, WINDOW, identifier
from guardian_aggregator.model import IncidentRow


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """`playbook`: the one that healed it. `counted`: whether the recovery statistics count it.

    `time_to_recover_seconds` runs from the first bad look to the first good one that lasted, by the host's own clock;
    `recover_upper_seconds` from the last good look.
    """

    id: str
    host: str
    target: str
    issue_type: str
    layer: int
    owner_probe: str
    symptoms: list[str]
    open: bool
    counted: bool
    held: bool
    exhausted: bool
    explained_by: str | None
    recurrence_of: str | None
    resolution: str | None
    recovered_by: str | None
    playbook: str | None
    last_good_at: datetime | None
    first_bad_at: datetime
    detected_at: datetime
    decided_at: datetime | None
    action_started_at: datetime | None
    action_finished_at: datetime | None
    verified_at: datetime | None
    closed_at: datetime | None
    time_to_detect_seconds: float | None
    time_to_recover_seconds: float | None
    recover_upper_seconds: float | None
    across_boots: bool
    evidence: dict[str, Any]


class IncidentDetail(Incident, frozen=True, kw_only=True):
    """An incident with its executions, in the order in which they started."""

    executions: list[Execution]


class IncidentList(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first bad look first. `window` is null when none was asked for: then it is the whole history."""

    window: Window | None
    incidents: list[Incident]
    next_cursor: str | None


@endpoint("/api/guardian/incidents", *WINDOW, *FILTERS, TARGET, OPEN, *PAGE)
async def incidents(call: Call) -> IncidentList:
    """Incidents, newest first; also those that no statistic counts."""
    span = call.span()
    rows = await call.queries.incidents(call.filter(span), call.limit + 1, call.after)
    page = rows[: call.limit]
    healed_by = await call.queries.healed_by(row.incident_id for row in page)
    return IncidentList(
        window=window(*span) if span else None,
        incidents=[Incident(**_fields(row, healed_by.get(row.incident_id))) for row in page],
        next_cursor=call.cut(rows, [(row.first_bad_at, row.incident_id) for row in rows], span),
    )


@endpoint("/api/guardian/incidents/{id}", identifier("An incident's id."))
async def incident(call: Call) -> IncidentDetail:
    """One incident with its executions."""
    row = found(await call.queries.incident(call.values["id"]), "incident")
    runs = await call.queries.incident_executions(row.incident_id)
    healed_by = await call.queries.healed_by([row.incident_id])
    fields = _fields(row, healed_by.get(row.incident_id))
    return IncidentDetail(executions=[tell_execution(run) for run in runs], **fields)


def tell_incident(row: IncidentRow, playbook: str | None) -> Incident:
    return Incident(**_fields(row, playbook))


_TIMES = ("last_good_at", "decided_at", "action_started_at", "action_finished_at", "verified_at", "closed_at")
_WORDS = ("explained_by", "recurrence_of", "recovered_by")
_AS_THEY_ARE = (
    *("target", "issue_type", "layer", "owner_probe", "held", "exhausted", "resolution", "across_boots", "evidence"),
    *("time_to_detect_seconds", "time_to_recover_seconds", "recover_upper_seconds"),
)


def _fields(row: IncidentRow, playbook: str | None) -> dict[str, Any]:
    return {
        "id": row.incident_id,
        "host": row.agent_id,
        "symptoms": list(row.symptoms),
        "open": row.closed_at is None,
        "counted": not row.held and not row.explained_by,
        "playbook": playbook,
        "first_bad_at": moment(row.first_bad_at),
        "detected_at": moment(row.detected_at),
        **{name: moment_or_none(getattr(row, name)) for name in _TIMES},
        **{name: getattr(row, name) or None for name in _WORDS},
        **{name: getattr(row, name) for name in _AS_THEY_ARE},
    }
