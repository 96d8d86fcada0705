"""The healer at work: its totals, its last runs, its playbooks."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from guardian_aggregator.api.call import Call
from guardian_aggregator.api.endpoints import endpoint
from guardian_aggregator.api.executions import Execution, tell_execution
from guardian_aggregator.api.moments import Window, moment_or_none, window
from guardian_aggregator.api.outcomes import ATTEMPTED, FAILED, Executions, count_outcomes
from guardian_aggregator.api.parameters import FILTERS, PAGE, WINDOW
from guardian_aggregator.model import Outcome, PlaybookRow
from guardian_aggregator.stats import METHOD_VERSION

_RECENT = 5


class HealerStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What was done in the window. `recent_runs`: the last five that tried to heal and ended, however long ago."""

    window: Window
    executions: Executions
    healed: int
    failed: int
    success_rate: float | None
    recent_runs: list[Execution]
    method_version: int


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """The hosts' own durable counters, summed; they also know what was never sent."""

    executions: int
    successes: int
    failures: int


class Playbook(msgspec.Struct, frozen=True, kw_only=True):
    """One playbook over the fleet; of `tier`, the strictest that any host has set.

    `executions` are those of the window, `last_run_at` the newest start ever.
    """

    id: str
    family: str | None
    tier: int | None
    heals: list[str]
    hosts: int
    executions: Executions
    success_rate: float | None
    last_run_at: datetime | None
    reported: Reported


class PlaybookList(msgspec.Struct, frozen=True, kw_only=True):
    """By id."""

    window: Window
    playbooks: list[Playbook]
    next_cursor: str | None


@endpoint("/api/guardian/healer/stats", *WINDOW, *FILTERS)
async def healer_stats(call: Call) -> HealerStatistics:
    """Totals and the last five healing runs, newest first."""
    span = call.minutes()
    totals = count_outcomes(await call.queries.execution_counts(call.filter(span)))
    attempts = msgspec.structs.replace(call.filter((0, span[1])), outcomes=ATTEMPTED)
    recent = await call.queries.executions(attempts, _RECENT)
    return HealerStatistics(
        window=window(*span),
        executions=totals,
        healed=totals.by_outcome[Outcome.HEALED],
        failed=sum(totals.by_outcome[each] for each in FAILED),
        success_rate=totals.success_rate,
        recent_runs=[tell_execution(row) for row in recent],
        method_version=METHOD_VERSION,
    )


@endpoint("/api/guardian/playbooks", *WINDOW, *FILTERS, *PAGE)
async def playbooks(call: Call) -> PlaybookList:
    """All playbooks of the fleet, with their counters."""
    span = call.minutes()
    wanted = call.filter(span)
    counts = await call.queries.execution_counts(wanted)
    last = await call.queries.last_runs(call.filter((0, span[1])))
    told: dict[str, list[PlaybookRow]] = {name: [] for name, _ in counts}
    for row in await call.queries.playbooks(wanted):
        told.setdefault(row.id, []).append(row)
    ran = {name for name, _ in counts}
    names = sorted(
        name
        for name, rows in told.items()
        if wanted.playbook in (None, name) and (name in ran or _heals(rows, wanted.issue_type))
    )
    page, next_cursor = call.page(names, names, span)
    return PlaybookList(
        window=window(*span),
        playbooks=[_playbook(name, told[name], count_outcomes(counts, name), last.get(name)) for name in page],
        next_cursor=next_cursor,
    )


def _heals(rows: Iterable[PlaybookRow], issue_type: str | None) -> bool:
    return issue_type is None or any(issue_type in row.heals for row in rows)


def _playbook(name: str, rows: list[PlaybookRow], executions: Executions, last_run_at: int | None) -> Playbook:
    return Playbook(
        id=name,
        family=rows[-1].family if rows else None,
        tier=max((row.tier for row in rows), default=None),
        heals=sorted({issue_type for row in rows for issue_type in row.heals}),
        hosts=len(rows),
        executions=executions,
        success_rate=executions.success_rate,
        last_run_at=moment_or_none(last_run_at),
        reported=Reported(
            executions=sum(row.executions for row in rows),
            successes=sum(row.successes for row in rows),
            failures=sum(row.failures for row in rows),
        ),
    )
