"""How long until recovery, when some have not recovered yet: Kaplan-Meier and its restricted mean."""

from collections.abc import Sequence
from math import exp, sqrt

import msgspec
import numpy as np
import numpy.typing as npt

from guardian_aggregator.stats.interval import FEWEST, LEVEL, Interval, normal_quantile

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

LONGEST_HORIZON_S = 86_400.0


class Curve(msgspec.Struct, frozen=True):
    """A Kaplan-Meier curve: at each of `times` (seconds, ascending), how many were at risk and recovered, and the
    share still down just after."""

    times: Floats
    at_risk: Floats
    recovered: Floats
    still_down: Floats


class RestrictedMean(msgspec.Struct, frozen=True, kw_only=True):
    """The mean time down within the first `horizon_s` seconds, and the variance of that estimate (seconds squared)."""

    seconds: float
    horizon_s: float
    variance: float
    recovered: int


def kaplan_meier(
    seconds: Sequence[float] | Floats, closed: Sequence[bool] | Flags, counts: Sequence[int] | Floats | None = None
) -> Curve:
    """The product-limit curve of durations in seconds; where `closed` is false, the duration is only a lower bound.
    `counts`: how many there are of each; one where it is left out.

    A recovery and a censoring at the same time count in this order: who was censored then was still at risk.

    Source: Kaplan and Meier, J. Amer. Statist. Assoc. 53:457 (1958).
    """
    durations = np.asarray(seconds, dtype=np.float64)
    weights = np.ones(len(durations)) if counts is None else np.asarray(counts, dtype=np.float64)
    ended = np.asarray(closed, dtype=np.float64) * weights
    order = np.argsort(durations, kind="stable")
    times, first = np.unique(durations[order], return_index=True)
    before = np.concatenate(([0.0], np.cumsum(weights[order])))
    at_risk = before[-1] - before[first]
    recovered = np.add.reduceat(ended[order], first) if len(durations) else np.zeros(0)
    still_down: Floats = np.cumprod(1.0 - recovered / at_risk, dtype=np.float64)
    return Curve(times, at_risk, recovered, still_down)


def restricted_mean(curve: Curve, horizon_s: float) -> RestrictedMean:
    """The area under `curve` from 0 to `horizon_s`, with Greenwood's variance.

    Past the last time of the curve it is taken to stay where it is, so a horizon beyond it says more than was seen
    unless all had recovered.

    Source: Royston and Parmar, BMC Med. Res. Methodol. 13:152 (2013).
    """
    within = curve.times < horizon_s
    times = curve.times[within]
    at_risk = curve.at_risk[within]
    recovered = curve.recovered[within]
    widths = np.diff(np.concatenate(([0.0], times, [horizon_s])))
    areas = widths * np.concatenate(([1.0], curve.still_down[within]))
    beyond = np.cumsum(areas[::-1])[::-1][1:]  # the area to the right of each time
    survivors = at_risk - recovered
    hazard = np.divide(recovered, at_risk * survivors, out=np.zeros_like(times), where=survivors > 0)
    return RestrictedMean(
        seconds=float(areas.sum()),
        horizon_s=horizon_s,
        variance=float((beyond**2 * hazard).sum()),
        recovered=int(recovered.sum()),
    )


def horizon(curve: Curve) -> float:
    """Up to when this curve can speak, in seconds: the longest time seen, a day at most."""
    return min(float(curve.times[-1]), LONGEST_HORIZON_S)


def restricted_mean_interval(mean: RestrictedMean, closed: int) -> Interval | None:
    """An interval on the logarithm of the restricted mean; None when too few have `closed`, or nothing varies.

    On the log scale and with the variance times m/(m-1), for m recoveries before the horizon, its simulated coverage
    is 88-93 % from 10 incidents on, for durations with a log standard deviation from 0.5 to 1.25, up to 30 % open.
    """
    if closed < FEWEST or mean.recovered < 2 or mean.seconds <= 0 or mean.variance <= 0:
        return None
    corrected = mean.variance * mean.recovered / (mean.recovered - 1)
    half = normal_quantile((1 + LEVEL) / 2) * sqrt(corrected) / mean.seconds
    return Interval(low=mean.seconds * exp(-half), high=min(mean.seconds * exp(half), mean.horizon_s))
