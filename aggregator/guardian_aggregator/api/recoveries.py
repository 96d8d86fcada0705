"""Gathers what the recovery statistics need: counted incidents as durations, and what is known to be missing."""

import asyncio
from collections.abc import Iterable, Mapping

import msgspec

from guardian_aggregator.api.call import Call
from guardian_aggregator.api.moments import SECOND_NS
from guardian_aggregator.model import AgentRow, Resolution
from guardian_aggregator.stats import (
    CLOCK_OFF_S,
    UNKNOWN,
    Coverage,
    Ending,
    Episode,
    Lost,
    Recovery,
    coverage,
    is_stale,
    recurrences,
)
from guardian_aggregator.store import RecoveryRow

_LOOK_BACK_NS = 2 * 86_400 * SECOND_NS
"""Earlier incidents are read this far back to find what recurred: a day long at most, ended at most a day ago."""


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """The counted incidents of a window, each with its recovery, the playbooks that healed them, and the coverage."""

    incidents: list[RecoveryRow]
    recoveries: list[Recovery]
    healed_by: dict[str, str]
    agents: list[AgentRow]
    coverage: Coverage

    def pairs(self) -> Iterable[tuple[RecoveryRow, Recovery]]:
        return zip(self.incidents, self.recoveries, strict=True)


async def gather(call: Call, span: tuple[int, int]) -> Gathered:
    """Everything that the recovery statistics of this window and filter are made of."""
    wanted = call.filter(span)
    # The history knows no playbook: what recurs may have been healed by another one, or by nobody, the time before.
    history_filter = msgspec.structs.replace(wanted, since_ns=span[0] - _LOOK_BACK_NS, playbook=None)
    history = await call.queries.recovery_rows(history_filter)
    incidents = await call.queries.recovery_rows(wanted)
    healed_by = await call.queries.healed_by(row.incident_id for row in incidents)
    if wanted.playbook is not None:  # it may have healed one that another healed after it, and that is the other's
        incidents = [row for row in incidents if healed_by.get(row.incident_id) == wanted.playbook]
    agents = await call.queries.agents(wanted)
    gaps = await call.queries.gaps(wanted)
    return Gathered(
        incidents=incidents,
        recoveries=await asyncio.to_thread(_recoveries, incidents, history, _heard(agents, call.now_ns), call.now_ns),
        healed_by=healed_by,
        agents=agents,
        coverage=coverage(
            [Lost(first_seq=gap.first_seq, last_seq=gap.last_seq, counts=gap.counts) for gap in gaps],
            sum(stale(agent, call.now_ns) for agent in agents),
            sum(abs(clock_offset(agent) or 0.0) > CLOCK_OFF_S for agent in agents),
        ),
    )


def clock_offset(agent: AgentRow) -> float | None:
    """How many seconds the host's clock is off ours; None where that is not known."""
    return agent.clock_offset_seconds


def stale(agent: AgentRow, now_ns: int) -> bool:
    """Whether nothing has been heard of this host for too long."""
    return is_stale(connected=agent.connected, silent_s=(now_ns - agent.last_seen_at) / SECOND_NS)


def _recoveries(
    incidents: Iterable[RecoveryRow], history: Iterable[RecoveryRow], heard: Mapping[str, int], now_ns: int
) -> list[Recovery]:
    again = recurrences(_episode(row) for row in history)
    return [_recovery(row, heard.get(row.agent_id, now_ns), recurrence=row.incident_id in again) for row in incidents]


def _episode(row: RecoveryRow) -> Episode:
    end = row.verified_at if row.verified_at is not None else row.closed_at
    return Episode(
        id=row.incident_id,
        subject=(row.agent_id, row.target, row.issue_type),
        start=row.first_bad_at / SECOND_NS,
        end=None if end is None or row.closed_at is None else end / SECOND_NS,
    )


def _recovery(row: RecoveryRow, heard_ns: int, *, recurrence: bool) -> Recovery:
    """Open is what has not closed, whatever else it says; its duration ends where its host was last heard."""
    if row.closed_at is None:
        return Recovery(
            seconds=max(0.0, (heard_ns - row.first_bad_at) / SECOND_NS),
            recurrence=recurrence,
            contradictory=row.resolution is not None,
        )
    seconds = row.time_to_recover_seconds
    if seconds is None:  # an agent that closed it without having measured: the wall clock is what there is
        ended = row.closed_at if row.verified_at is None else row.verified_at
        seconds = (ended - row.first_bad_at) / SECOND_NS
    resolution: Ending = Resolution(row.resolution) if row.resolution in set(Resolution) else UNKNOWN
    return Recovery(seconds=seconds if seconds >= 0 else None, resolution=resolution, recurrence=recurrence)


def _heard(agents: Iterable[AgentRow], now_ns: int) -> dict[str, int]:
    """Until when the silent hosts are known to have been as they said; of the others it is now."""
    return {agent.agent_id: min(now_ns, agent.last_seen_at) for agent in agents if stale(agent, now_ns)}
