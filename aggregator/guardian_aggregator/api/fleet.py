"""The whole fleet at one look."""

import asyncio

import msgspec

from guardian_aggregator.api.call import Call
from guardian_aggregator.api.endpoints import endpoint
from guardian_aggregator.api.moments import Window, window
from guardian_aggregator.api.osi import LayerHealth, judge_layers
from guardian_aggregator.api.outcomes import Executions, count_outcomes
from guardian_aggregator.api.parameters import FILTERS, WINDOW
from guardian_aggregator.api.recoveries import Gathered, gather
from guardian_aggregator.stats import METHOD_VERSION, TARGET_S, RecoveryStatistics, summarise
from guardian_aggregator.store import Filter


class Agents(msgspec.Struct, frozen=True, kw_only=True):
    """All hosts ever seen. `stale`: without a stream, and last heard more than a minute ago."""

    total: int
    connected: int
    stale: int


class Incidents(msgspec.Struct, frozen=True, kw_only=True):
    """The counted ones (not explained by another, not held) that began in the window."""

    total: int
    open: int
    auto: int
    manual: int
    spontaneous: int
    unknown: int
    by_issue_type: dict[str, int]


class FleetStatistics(RecoveryStatistics, frozen=True, kw_only=True):
    """The fleet, its recovery statistics at the top level."""

    window: Window
    agents: Agents
    incidents: Incidents
    executions: Executions
    layers: list[LayerHealth]
    target_seconds: float
    method_version: int


@endpoint("/api/guardian/stats", *WINDOW, *FILTERS)
async def stats(call: Call) -> FleetStatistics:
    """The fleet: agents, incidents, executions, recovery statistics, layers."""
    span = call.minutes()
    gathered = await gather(call, span)
    executions = await call.queries.execution_counts(call.filter(span))
    layers = await judge_layers(call, Filter(host=call.values.get("host"), labels=call.values["label"]))
    recovery = await asyncio.to_thread(summarise, gathered.all(), gathered.coverage)
    hosts = gathered.agents
    return FleetStatistics(
        window=window(*span),
        agents=Agents(total=hosts.total, connected=hosts.connected, stale=hosts.stale),
        incidents=_incidents(gathered, recovery),
        executions=count_outcomes(executions),
        layers=layers,
        target_seconds=TARGET_S,
        method_version=METHOD_VERSION,
        **msgspec.structs.asdict(recovery),
    )


def _incidents(gathered: Gathered, recovery: RecoveryStatistics) -> Incidents:
    return Incidents(
        total=recovery.count,
        open=recovery.open,
        auto=recovery.by_resolution.auto.count,
        manual=recovery.by_resolution.manual.count,
        spontaneous=recovery.by_resolution.spontaneous.count,
        unknown=recovery.by_resolution.unknown.count,
        by_issue_type={name: len(group) for name, group in gathered.by_issue_type().items()},
    )
