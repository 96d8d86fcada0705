"""What an answer must say beside its numbers: what was withheld, and what is strange."""

from collections.abc import Iterator

import msgspec

from guardian_aggregator.stats.coverage import CLOCK_OFF_S, Coverage
from guardian_aggregator.stats.interval import FEWEST, Interval
from guardian_aggregator.stats.proportion import FEWEST_OF_A_SHARE


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A group as the notes see it: how many there are of what. `closed` ones have a duration; `alike`: all the same."""

    closed: int
    alike: bool
    open: int
    decided: int
    endings: int  # different ones
    impossible: int
    unknown: int
    contradictory: int


def notes(sample: Sample, coverage: Coverage, *, mean: Interval | None, restricted: Interval | None) -> list[str]:
    """All there is to note; `mean` and `restricted`: the intervals of mttr_seconds and rmst_seconds."""
    return [*_withheld(sample, mean, restricted), *_strange(sample), *_missing(coverage)]


def _withheld(sample: Sample, mean: Interval | None, restricted: Interval | None) -> Iterator[str]:
    closed = sample.closed
    if closed + sample.open + sample.impossible == 0:
        yield "no incidents"
    elif closed < FEWEST:
        yield (
            f"too few to say: {closed} closed, {FEWEST} are needed for the intervals of the times to recover"
            " and the minimum detectable ratio"
        )
    elif sample.alike:
        yield "all that closed took equally long: no interval of their times, and no minimum detectable ratio"
    elif sample.endings > 1:
        yield "no mttr_interval: these ended in more than one way; by_resolution has each way's own"
    elif mean is None and not sample.open:
        yield "no mttr_interval: mttr_seconds lies outside of it, so these durations are not of one kind"
    if closed >= FEWEST and restricted is None:
        yield "no interval for rmst_seconds: fewer than two recovered before its horizon, or all alike"
    if 0 < sample.decided < FEWEST_OF_A_SHARE:
        yield (
            f"too few to say: {sample.decided} decided, {FEWEST_OF_A_SHARE} are needed for the interval of"
            " auto_heal_ratio"
        )
    if sample.open:
        yield (
            f"{sample.open} still open: mttr_seconds, the percentiles and geometric_mean_seconds know the closed ones"
            " only and have no interval; rmst_seconds counts the open ones too"
        )


def _strange(sample: Sample) -> Iterator[str]:
    if sample.impossible:
        yield f"{sample.impossible} recovered in a time that cannot be (less than none): counted, in no duration"
    if sample.unknown:
        yield f"{sample.unknown} ended in a way that is not known here: by_resolution.unknown"
    if sample.contradictory:
        yield f"{sample.contradictory} are open and say how they ended: counted as open"


def _missing(coverage: Coverage) -> Iterator[str]:
    if not coverage.complete:
        yield f"incomplete: {coverage.records_lost} records lost, {coverage.stale_agents} agents stale"
    if coverage.clocks_off:
        yield (
            f"{coverage.clocks_off} agents have a clock that is more than {CLOCK_OFF_S:g} s off: what they began near"
            " the window's ends, or have open, may be counted wrongly"
        )
