"""The recovery statistics of one group of incidents."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from guardian_aggregator.model import Resolution
from guardian_aggregator.stats import lognormal, survival
from guardian_aggregator.stats.coverage import Coverage
from guardian_aggregator.stats.interval import Interval
from guardian_aggregator.stats.notes import Sample, notes
from guardian_aggregator.stats.proportion import ratio, wilson
from guardian_aggregator.stats.quantile import quantile

METHOD_VERSION = 2
"""Grows whenever the same incidents would give another number."""

TARGET_S = 120.0

UNKNOWN: Final = "unknown"
"""It ended, and this version knows no word for how."""

Ending = Resolution | Literal["unknown"]


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """One counted incident: how long it took to recover or, with no ending, has been open so far (seconds).

    `seconds` None: it recovered, and what was told of how long that took cannot be so.
    `contradictory`: its record says both that it is open and how it ended.
    """

    seconds: float | None
    resolution: Ending | None = None
    recurrence: bool = False
    contradictory: bool = False


class ResolutionPart(msgspec.Struct, frozen=True, kw_only=True):
    """The incidents that ended in one way."""

    count: int
    mttr_seconds: float | None
    mttr_interval: Interval | None


class ByResolution(msgspec.Struct, frozen=True, kw_only=True):
    """Healed by Guardian, by somebody else's hand, by nobody, and in a way not known here: never mixed."""

    auto: ResolutionPart
    manual: ResolutionPart
    spontaneous: ResolutionPart
    unknown: ResolutionPart


class RecoveryStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a group publishes. Durations in seconds, ratios from 0 to 1, null where there is nothing to say."""

    count: int
    open: int
    mttr_seconds: float | None
    mttr_interval: Interval | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    rmst_seconds: float | None
    horizon_seconds: float | None
    rmst_interval: Interval | None
    geometric_mean_seconds: float | None
    geometric_mean_interval: Interval | None
    under_target_ratio: float | None
    auto_heal_ratio: float | None
    auto_heal_interval: Interval | None
    recurrence_24h: float | None
    minimum_detectable_ratio: float | None
    by_resolution: ByResolution
    notes: list[str]
    coverage: Coverage


def summarise(recoveries: Sequence[Recovery], coverage: Coverage, target_s: float = TARGET_S) -> RecoveryStatistics:
    """Every recovery statistic of one group; `target_s` is the time within which a recovery counts as quick."""
    closed = [each for each in recoveries if each.resolution is not None]
    sample = _sample(recoveries, target_s)
    times = sample.times
    auto = sum(each.resolution is Resolution.AUTO for each in closed)
    trusted = times if not sample.open else ()  # without the open ones, the closed are too quick for an interval
    mean_interval = _mean_interval(trusted) if sample.endings == 1 else None
    mean = _restricted_mean(recoveries) if times else None
    rmst_interval = survival.restricted_mean_interval(mean, len(times)) if mean else None
    parts = {each: _part(closed, each, trusted=not sample.open) for each in (*Resolution, UNKNOWN)}
    return RecoveryStatistics(
        count=len(recoveries),
        open=sample.open,
        mttr_seconds=_mean(times),
        mttr_interval=mean_interval,
        p50=quantile(times, 0.5),
        p90=quantile(times, 0.9),
        p95=quantile(times, 0.95),
        p99=quantile(times, 0.99),
        rmst_seconds=mean.seconds if mean else None,
        horizon_seconds=mean.horizon_s if mean else None,
        rmst_interval=rmst_interval,
        geometric_mean_seconds=lognormal.geometric_mean(times),
        geometric_mean_interval=lognormal.geometric_mean_interval(trusted),
        under_target_ratio=ratio(sum(each <= target_s for each in times), sample.decided - sample.impossible),
        auto_heal_ratio=ratio(auto, sample.decided),
        auto_heal_interval=wilson(auto, sample.decided),
        recurrence_24h=ratio(sum(each.recurrence for each in recoveries), len(recoveries)),
        minimum_detectable_ratio=lognormal.minimum_detectable_ratio(times),
        by_resolution=ByResolution(**parts),
        notes=notes(sample, coverage, mean=mean_interval, restricted=rmst_interval),
        coverage=coverage,
    )


def _sample(recoveries: Sequence[Recovery], target_s: float) -> Sample:
    closed = [each for each in recoveries if each.resolution is not None]
    late = sum(each.resolution is None and each.seconds is not None and each.seconds > target_s for each in recoveries)
    times = sorted(each.seconds for each in closed if each.seconds is not None)
    return Sample(
        times=times,
        open=len(recoveries) - len(closed),
        decided=len(closed) + late,
        endings=len({each.resolution for each in closed}),
        impossible=len(closed) - len(times),
        unknown=sum(each.resolution == UNKNOWN for each in closed),
        contradictory=sum(each.contradictory for each in recoveries),
    )


def _restricted_mean(recoveries: Sequence[Recovery]) -> survival.RestrictedMean:
    known = [(each.seconds, each.resolution is not None) for each in recoveries if each.seconds is not None]
    curve = survival.kaplan_meier([seconds for seconds, _ in known], [closed for _, closed in known])
    return survival.restricted_mean(curve, survival.horizon(curve))


def _part(closed: Sequence[Recovery], ending: Ending, *, trusted: bool) -> ResolutionPart:
    these = [each.seconds for each in closed if each.resolution == ending]
    times = [seconds for seconds in these if seconds is not None]
    return ResolutionPart(
        count=len(these), mttr_seconds=_mean(times), mttr_interval=_mean_interval(times) if trusted else None
    )


def _mean(seconds: Sequence[float]) -> float | None:
    return sum(seconds) / len(seconds) if seconds else None


def _mean_interval(seconds: Sequence[float]) -> Interval | None:
    """None too where the mean lies outside: then the durations are no log-normal's, and the interval is wrong."""
    interval, mean = lognormal.mean_interval(seconds), _mean(seconds)
    return interval if interval and mean is not None and interval.low <= mean <= interval.high else None
