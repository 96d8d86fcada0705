"""Recovery statistics by what was broken, and by what healed it."""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from guardian_aggregator.api.call import Call
from guardian_aggregator.api.endpoints import endpoint
from guardian_aggregator.api.moments import Window, window
from guardian_aggregator.api.parameters import FILTERS, PAGE, WINDOW
from guardian_aggregator.api.recoveries import gather
from guardian_aggregator.stats import METHOD_VERSION, TARGET_S, Coverage, Recoveries, RecoveryStatistics, summarise


class IssueTypeRecovery(RecoveryStatistics, frozen=True, kw_only=True):
    issue_type: str


class PlaybookRecovery(RecoveryStatistics, frozen=True, kw_only=True):
    playbook: str


class MttrByIssueType(msgspec.Struct, frozen=True, kw_only=True):
    window: Window
    target_seconds: float
    method_version: int
    issue_types: list[IssueTypeRecovery]
    next_cursor: str | None


class MttrByPlaybook(msgspec.Struct, frozen=True, kw_only=True):
    """Each incident whole, from its first bad look, with the playbook that healed it.

    `without_playbook`: the incidents that none healed (open, manual, spontaneous), so that all together
    are the fleet's.
    """

    window: Window
    target_seconds: float
    method_version: int
    playbooks: list[PlaybookRecovery]
    without_playbook: RecoveryStatistics
    next_cursor: str | None


@endpoint("/api/guardian/mttr/by-issue-type", *WINDOW, *FILTERS, *PAGE)
async def mttr_by_issue_type(call: Call) -> MttrByIssueType:
    """Recovery statistics per issue type."""
    span = call.minutes()
    gathered = await gather(call, span)
    groups = await asyncio.to_thread(gathered.by_issue_type)
    names, next_cursor = call.page(list(groups), list(groups), span)
    told = await asyncio.to_thread(_summaries, [(name, groups[name]) for name in names], gathered.coverage)
    return MttrByIssueType(
        window=window(*span),
        target_seconds=TARGET_S,
        method_version=METHOD_VERSION,
        issue_types=[IssueTypeRecovery(issue_type=name, **numbers) for name, numbers in told],
        next_cursor=next_cursor,
    )


@endpoint("/api/guardian/mttr/by-playbook", *WINDOW, *FILTERS, *PAGE)
async def mttr_by_playbook(call: Call) -> MttrByPlaybook:
    """Recovery statistics per playbook that healed."""
    span = call.minutes()
    gathered = await gather(call, span)
    groups = await asyncio.to_thread(gathered.by_playbook)
    rest = groups.pop("", Recoveries())
    names, next_cursor = call.page(list(groups), list(groups), span)
    told = await asyncio.to_thread(_summaries, [(name, groups[name]) for name in names], gathered.coverage)
    return MttrByPlaybook(
        window=window(*span),
        target_seconds=TARGET_S,
        method_version=METHOD_VERSION,
        playbooks=[PlaybookRecovery(playbook=name, **numbers) for name, numbers in told],
        without_playbook=await asyncio.to_thread(summarise, rest, gathered.coverage),
        next_cursor=next_cursor,
    )


def _summaries(groups: Iterable[tuple[str, Recoveries]], coverage: Coverage) -> list[tuple[str, dict[str, Any]]]:
    return [(name, msgspec.structs.asdict(summarise(recoveries, coverage))) for name, recoveries in groups]
