"""What the numbers do not know: records that were lost, hosts that are silent."""

from collections.abc import Iterable, Mapping

import msgspec

STALE_AFTER_S = 60.0

CLOCK_OFF_S = 5.0
"""From here on a host's clock is called off: less is within what a message may take."""


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """`complete` when nothing is known to be missing; else what is.

    `clocks_off`: how many hosts' clocks are more than 5 seconds off the aggregator's.
    """

    complete: bool
    gaps: int
    records_lost: int
    lost_by_kind: dict[str, int]
    stale_agents: int
    clocks_off: int


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """One gap: the sequence numbers that will never come, and what they were as far as the host knew."""

    first_seq: int
    last_seq: int
    counts: Mapping[str, int]


def coverage(gaps: Iterable[Lost], stale_agents: int, clocks_off: int = 0) -> Coverage:
    """Sums up gaps, silent hosts and wrong clocks."""
    number = lost = 0
    kinds: dict[str, int] = {}
    for gap in gaps:
        number += 1
        lost += gap.last_seq - gap.first_seq + 1
        for kind, count in gap.counts.items():
            kinds[kind] = kinds.get(kind, 0) + count
    return Coverage(
        complete=not number and not stale_agents,
        gaps=number,
        records_lost=lost,
        lost_by_kind=dict(sorted(kinds.items())),
        stale_agents=stale_agents,
        clocks_off=clocks_off,
    )


def is_stale(*, connected: bool, silent_s: float) -> bool:
    """A host is stale when it has no stream and was last heard more than `STALE_AFTER_S` seconds ago."""
    return not connected and silent_s > STALE_AFTER_S
