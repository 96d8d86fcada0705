"""What did not heal: executions, incidents and pages in one list."""

from datetime import datetime
from typing import Literal

import msgspec

from guardian_aggregator.api.call import Call
from guardian_aggregator.api.endpoints import endpoint
from guardian_aggregator.api.moments import SECOND_NS, Window, moment, window
from guardian_aggregator.api.outcomes import FAILED
from guardian_aggregator.api.parameters import FILTERS, PAGE, WINDOW
from guardian_aggregator.model import ExecutionRow, IncidentRow, PageRow, Resolution
from guardian_aggregator.stats import TARGET_S
from guardian_aggregator.store import Rows

_TARGET_NS = int(TARGET_S * SECOND_NS)

Entry = tuple[tuple[int, str], "Failure"]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One entry. `at`: an execution's start, an incident's first bad look, a page's own time.

    `reason` of an incident: `ladder_exhausted`, `healed_by_hand` or `open_past_target`; of an execution: what it said;
    of a page: its reason, with the `text` for a human.
    """

    kind: Literal["execution", "incident", "page"]
    id: str
    at: datetime
    host: str
    target: str
    incident_id: str | None
    issue_type: str | None
    playbook: str | None
    outcome: str | None
    reason: str
    text: str | None


class FailureList(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    window: Window
    failures: list[Failure]
    next_cursor: str | None


@endpoint("/api/guardian/failures/recent", *WINDOW, *FILTERS, *PAGE)
async def failures_recent(call: Call) -> FailureList:
    """Executions and incidents that did not heal, and pages, newest first."""
    span = call.span_or_day()
    wanted = call.filter(span)
    rows = call.limit + 1
    failed = msgspec.structs.replace(wanted, outcomes=FAILED)
    unhealed = msgspec.structs.replace(wanted, unhealed_since_ns=call.now_ns - _TARGET_NS)
    executions = await call.queries.executions(failed, rows, call.after)
    incidents = await call.queries.incidents(unhealed, rows, call.after)
    pages = await call.queries.pages(wanted, rows, call.after)
    entries = _merged(
        (list(map(_of_execution, executions)), executions.cut_short),
        (list(map(_of_incident, incidents)), incidents.cut_short),
        (list(map(_of_page, pages)), pages.cut_short),
    )
    return FailureList(
        window=window(*span),
        failures=[failure for _, failure in entries[: call.limit]],
        next_cursor=call.cut(entries, [key for key, _ in entries], span),
    )


def _merged(*lists: tuple[list[Entry], bool]) -> Rows[Entry]:
    """Newest first, and no older than the last of any list that was cut short: what follows that is not known."""
    ends = [entries[-1][0] for entries, cut_short in lists if cut_short]
    merged = Rows(entry for entries, _ in lists for entry in entries if not ends or entry[0] >= max(ends))
    merged.sort(key=lambda entry: entry[0], reverse=True)
    merged.cut_short = bool(ends)
    return merged


def _of_execution(row: ExecutionRow) -> Entry:
    return (row.started_at, row.execution_id), Failure(
        kind="execution",
        id=row.execution_id,
        at=moment(row.started_at),
        host=row.agent_id,
        target=row.target,
        incident_id=row.incident_id or None,
        issue_type=row.issue_type or None,
        playbook=row.playbook,
        outcome=row.outcome,
        reason=row.reason,
        text=None,
    )


def _of_incident(row: IncidentRow) -> Entry:
    if row.exhausted:
        reason = "ladder_exhausted"
    else:
        reason = "healed_by_hand" if row.resolution == Resolution.MANUAL else "open_past_target"
    return (row.first_bad_at, row.incident_id), Failure(
        kind="incident",
        id=row.incident_id,
        at=moment(row.first_bad_at),
        host=row.agent_id,
        target=row.target,
        incident_id=row.incident_id,
        issue_type=row.issue_type,
        playbook=None,
        outcome=None,
        reason=reason,
        text=None,
    )


def _of_page(row: PageRow) -> Entry:
    return (row.at, row.page_id), Failure(
        kind="page",
        id=row.page_id,
        at=moment(row.at),
        host=row.agent_id,
        target=row.target,
        incident_id=row.incident_id or None,
        issue_type=None,
        playbook=None,
        outcome=None,
        reason=row.reason,
        text=row.text,
    )
