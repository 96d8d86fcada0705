"""Executions: every run of a playbook."""

from datetime import datetime
from typing import Any

import msgspec

from guardian_aggregator.api.call import Call, found
from guardian_aggregator.api.endpoints import endpoint
from guardian_aggregator.api.moments import Window, moment, moment_or_none, window
from guardian_aggregator.api.parameters import FILTERS, OPEN, PAGE, TARGET, WINDOW, identifier
from guardian_aggregator.model import ExecutionRow


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One change to the host and what undoes it, as an operator would type them; `undo` null: nothing does."""

    index: int
    describe: str
    undo: str | None
    state: str
    error: str | None


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """`outcome` is null while it runs; `rung`: the place in the ladder, from 0."""

    id: str
    incident_id: str | None
    host: str
    target: str
    issue_type: str
    playbook: str
    outcome: str | None
    reason: str
    rung: int
    started_at: datetime
    finished_at: datetime | None
    verified_at: datetime | None
    duration_seconds: float | None
    steps: list[Step]
    evidence: dict[str, Any]


class ExecutionList(msgspec.Struct, frozen=True, kw_only=True):
    """Newest start first. `window` is null when none was asked for: then it is the whole history."""

    window: Window | None
    executions: list[Execution]
    next_cursor: str | None


@endpoint("/api/guardian/executions", *WINDOW, *FILTERS, TARGET, OPEN, *PAGE)
async def executions(call: Call) -> ExecutionList:
    """Executions, newest first."""
    span = call.span()
    rows = await call.queries.executions(call.filter(span), call.limit + 1, call.after)
    return ExecutionList(
        window=window(*span) if span else None,
        executions=[tell_execution(row) for row in rows[: call.limit]],
        next_cursor=call.cut(rows, [(row.started_at, row.execution_id) for row in rows], span),
    )


@endpoint("/api/guardian/executions/{id}", identifier("An execution's id."))
async def execution(call: Call) -> Execution:
    """One execution with its steps and verdicts."""
    return tell_execution(found(await call.queries.execution(call.values["id"]), "execution"))


def tell_execution(row: ExecutionRow) -> Execution:
    return Execution(
        id=row.execution_id,
        incident_id=row.incident_id or None,
        host=row.agent_id,
        target=row.target,
        issue_type=row.issue_type,
        playbook=row.playbook,
        outcome=row.outcome,
        reason=row.reason,
        rung=row.rung,
        started_at=moment(row.started_at),
        finished_at=moment_or_none(row.finished_at),
        verified_at=moment_or_none(row.verified_at),
        duration_seconds=row.duration_seconds,
        steps=[
            Step(
                index=step.index,
                describe=step.describe,
                undo=step.undo_describe or None,
                state=step.state,
                error=step.error or None,
            )
            for step in row.steps
        ],
        evidence=row.evidence,
    )
