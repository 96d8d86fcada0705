"""Gathers what the recovery statistics need: counted incidents as durations, and what is known to be missing."""

import asyncio
from collections.abc import Iterable, Mapping

import msgspec

from guardian_aggregator.api.call import Call
from guardian_aggregator.api.moments import SECOND_NS
from guardian_aggregator.model import AgentRow, Resolution
from guardian_aggregator.stats import (
    CLOCK_OFF_S,
    STALE_AFTER_S,
    UNKNOWN,
    Coverage,
    Durations,
    Ending,
    Lost,
    Recoveries,
    coverage,
    is_stale,
)
from guardian_aggregator.store import NO_DURATION, AgentCounts, Kind, OpenIncident, Sums

_MEASURED = slice(0, 5)  # the columns of the store's sums that durations have, too


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """The counted incidents of a window by (issue type, playbook that healed them or ''), the hosts, the coverage."""

    groups: dict[tuple[str, str], Recoveries]
    agents: AgentCounts
    coverage: Coverage

    def all(self) -> Recoveries:
        return Recoveries.together(self.groups.values())

    def by_issue_type(self) -> dict[str, Recoveries]:
        return self._by(0)

    def by_playbook(self) -> dict[str, Recoveries]:
        return self._by(1)

    def _by(self, place: int) -> dict[str, Recoveries]:
        names = sorted({key[place] for key in self.groups})
        return {
            name: Recoveries.together(group for key, group in self.groups.items() if key[place] == name)
            for name in names
        }


async def gather(call: Call, span: tuple[int, int]) -> Gathered:
    """Everything that the recovery statistics of this window and filter are made of."""
    wanted = call.filter(span)
    ended = await call.queries.ended_recoveries(wanted)
    still_open = await call.queries.open_incidents(wanted)
    agents = await call.queries.agent_counts(wanted, heard_since_ns(call.now_ns), CLOCK_OFF_S)
    gaps = await call.queries.gaps(wanted)
    return Gathered(
        groups=await asyncio.to_thread(_groups, ended, still_open, call.now_ns),
        agents=agents,
        coverage=coverage(
            [Lost(first_seq=gap.first_seq, last_seq=gap.last_seq, counts=gap.counts) for gap in gaps],
            agents.stale,
            agents.clocks_off,
        ),
    )


def heard_since_ns(now_ns: int) -> int:
    """Who is not connected and was last heard before that is stale."""
    return now_ns - int(STALE_AFTER_S * SECOND_NS)


def clock_offset(agent: AgentRow) -> float | None:
    """How many seconds the host's clock is off ours; None where that is not known."""
    return agent.clock_offset_seconds


def stale(agent: AgentRow, now_ns: int) -> bool:
    """Whether nothing has been heard of this host for too long."""
    return is_stale(connected=agent.connected, silent_s=(now_ns - agent.last_seen_at) / SECOND_NS)


def _groups(
    ended: Mapping[Kind, Sums], still_open: Iterable[OpenIncident], now_ns: int
) -> dict[tuple[str, str], Recoveries]:
    parts: dict[tuple[str, str], list[Recoveries]] = {}
    for kind, sums in ended.items():
        parts.setdefault((kind.issue_type, kind.playbook), []).append(_ended(kind.ending, sums))
    for row in still_open:
        parts.setdefault((row.issue_type, row.playbook), []).append(_open(row, now_ns))
    return {key: Recoveries.together(these) for key, these in parts.items()}


def _ended(ending: str, sums: Sums) -> Recoveries:
    how: Ending = Resolution(ending) if ending in set(Resolution) else UNKNOWN
    measured = sums.buckets != NO_DURATION
    return Recoveries(
        ended={how: Durations(sums.buckets[measured], sums.numbers[measured, _MEASURED])},
        impossible={how: Sums(sums.buckets[~measured], sums.numbers[~measured]).total},
        recurrences=sums.recurrences,
    )


def _open(row: OpenIncident, now_ns: int) -> Recoveries:
    """Its duration ends where its host was last heard, if that is silent now."""
    heard_ns = now_ns
    if row.last_seen_at is not None:
        silent_s = (now_ns - row.last_seen_at) / SECOND_NS
        if is_stale(connected=bool(row.connected), silent_s=silent_s):
            heard_ns = min(now_ns, row.last_seen_at)
    return Recoveries(
        open_seconds=(max(0.0, (heard_ns - row.first_bad_at) / SECOND_NS),),
        recurrences=row.recurrence,
        contradictory=row.contradictory,
    )
