"""The recovery statistics of one group of incidents."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, Self

import msgspec
import numpy as np

from guardian_aggregator.durations import TARGET_S
from guardian_aggregator.model import Resolution
from guardian_aggregator.stats import lognormal, survival
from guardian_aggregator.stats.coverage import Coverage
from guardian_aggregator.stats.durations import Durations
from guardian_aggregator.stats.interval import Interval
from guardian_aggregator.stats.notes import Sample, notes
from guardian_aggregator.stats.proportion import ratio, wilson
from guardian_aggregator.stats.quantile import quantile

METHOD_VERSION = 3
"""Grows whenever the same incidents would give another number."""

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


class Recoveries(msgspec.Struct, frozen=True, kw_only=True):
    """The counted incidents of a group: those that ended by how they did, those still open one by one.

    `impossible`: of those that ended, how many in a time that cannot be; they are in no duration. `open_seconds`: how
    long each has been open so far. `contradictory` of the open ones say how they ended all the same.
    """

    ended: Mapping[Ending, Durations] = {}
    impossible: Mapping[Ending, int] = {}
    open_seconds: tuple[float, ...] = ()
    recurrences: int = 0
    contradictory: int = 0

    @classmethod
    def of(cls, each_one: Iterable[Recovery]) -> Self:
        """Those, one by one."""
        given = list(each_one)
        closed = [each for each in given if each.resolution is not None]
        by: dict[Ending, list[float | None]] = {}
        for each in closed:
            by.setdefault(each.resolution or UNKNOWN, []).append(each.seconds)
        return cls(
            ended={how: Durations.of(each for each in these if each is not None) for how, these in by.items()},
            impossible={how: these.count(None) for how, these in by.items()},
            open_seconds=tuple(each.seconds or 0.0 for each in given if each.resolution is None),
            recurrences=sum(each.recurrence for each in given),
            contradictory=sum(each.contradictory for each in given),
        )

    @classmethod
    def together(cls, several: Iterable["Recoveries"]) -> "Recoveries":
        """All of them."""
        parts = list(several)
        if len(parts) == 1:
            return parts[0]
        endings = {how for part in parts for how in (*part.ended, *part.impossible)}
        return cls(
            ended={how: Durations.together(p.ended[how] for p in parts if how in p.ended) for how in endings},
            impossible={how: sum(part.impossible.get(how, 0) for part in parts) for how in endings},
            open_seconds=tuple(seconds for part in parts for seconds in part.open_seconds),
            recurrences=sum(part.recurrences for part in parts),
            contradictory=sum(part.contradictory for part in parts),
        )

    def closed(self, how: Ending) -> int:
        """How many ended in that way, in whatever time."""
        return len(self.ended.get(how, _NONE)) + self.impossible.get(how, 0)

    def __len__(self) -> int:
        return sum(self.closed(how) for how in (*Resolution, UNKNOWN)) + len(self.open_seconds)


_NONE = Durations.of(())


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


def summarise(recoveries: Recoveries, coverage: Coverage) -> RecoveryStatistics:
    """Every recovery statistic of one group."""
    times = Durations.together(recoveries.ended.values())
    sample = _sample(recoveries, times)
    auto = recoveries.closed(Resolution.AUTO)
    trusted = _NONE if sample.open else times  # without the open ones, the closed are too quick for an interval
    mean_interval = _mean_interval(trusted) if sample.endings == 1 else None
    mean = _restricted_mean(times, recoveries.open_seconds) if len(times) else None
    rmst_interval = survival.restricted_mean_interval(mean, len(times)) if mean else None
    parts = {how: _part(recoveries, how, trusted=not sample.open) for how in (*Resolution, UNKNOWN)}
    return RecoveryStatistics(
        count=len(recoveries),
        open=sample.open,
        mttr_seconds=times.mean,
        mttr_interval=mean_interval,
        p50=quantile(times, 0.5),
        p90=quantile(times, 0.9),
        p95=quantile(times, 0.95),
        p99=quantile(times, 0.99),
        rmst_seconds=mean.seconds if mean else None,
        horizon_seconds=mean.horizon_s if mean else None,
        rmst_interval=rmst_interval,
        geometric_mean_seconds=times.geometric_mean,
        geometric_mean_interval=lognormal.geometric_mean_interval(trusted),
        under_target_ratio=ratio(times.quick, sample.decided - sample.impossible),
        auto_heal_ratio=ratio(auto, sample.decided),
        auto_heal_interval=wilson(auto, sample.decided),
        recurrence_24h=ratio(recoveries.recurrences, len(recoveries)),
        minimum_detectable_ratio=lognormal.minimum_detectable_ratio(times),
        by_resolution=ByResolution(**parts),
        notes=notes(sample, coverage, mean=mean_interval, restricted=rmst_interval),
        coverage=coverage,
    )


def _sample(recoveries: Recoveries, times: Durations) -> Sample:
    endings = [how for how in (*Resolution, UNKNOWN) if recoveries.closed(how)]
    late = sum(seconds > TARGET_S for seconds in recoveries.open_seconds)
    return Sample(
        closed=len(times),
        alike=times.alike,
        open=len(recoveries.open_seconds),
        decided=sum(recoveries.closed(how) for how in endings) + late,
        endings=len(endings),
        impossible=sum(recoveries.impossible.values()),
        unknown=recoveries.closed(UNKNOWN),
        contradictory=recoveries.contradictory,
    )


def _restricted_mean(times: Durations, open_seconds: tuple[float, ...]) -> survival.RestrictedMean:
    seconds = np.concatenate([times.seconds, np.asarray(open_seconds, dtype=np.float64)])
    closed = np.arange(len(seconds)) < len(times.buckets)
    curve = survival.kaplan_meier(seconds, closed, np.concatenate([times.counts, np.ones(len(open_seconds))]))
    return survival.restricted_mean(curve, survival.horizon(curve))


def _part(recoveries: Recoveries, how: Ending, *, trusted: bool) -> ResolutionPart:
    times = recoveries.ended.get(how, _NONE)
    return ResolutionPart(
        count=recoveries.closed(how),
        mttr_seconds=times.mean,
        mttr_interval=_mean_interval(times) if trusted else None,
    )


def _mean_interval(times: Durations) -> Interval | None:
    """None too where the mean lies outside: then the durations are no log-normal's, and the interval is wrong."""
    interval, mean = lognormal.mean_interval(times), times.mean
    return interval if interval and mean is not None and interval.low <= mean <= interval.high else None
