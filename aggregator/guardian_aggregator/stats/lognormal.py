"""Durations on the logarithmic scale, where recoveries are nearly normal."""

from math import exp, log, sqrt

from guardian_aggregator.stats.durations import Durations
from guardian_aggregator.stats.interval import FEWEST, LEVEL, Interval, normal_quantile, student_quantile

SIGNIFICANCE = 0.05
POWER = 0.8


def geometric_mean_interval(times: Durations) -> Interval | None:
    """Student's interval on the mean logarithm, brought back to seconds; None when too few, or all alike."""
    n = len(times)
    if not _varies(times):
        return None
    half = student_quantile((1 + LEVEL) / 2, n - 1) * sqrt(times.log_variance / n)
    return _around(times.log_mean, half)


def mean_interval(times: Durations) -> Interval | None:
    """Cox's interval for the mean of a log-normal, with Student's t for the normal; None when too few, or all alike.

    Around exp(m + s²/2), half-width t · sqrt(s²/n + s⁴/(2(n - 1))) on the log scale.

    Source: Land, Technometrics 14:145 (1972), who gives Cox's; Olsson, J. Statist. Educ. 13(1) (2005), for the t.
    """
    n = len(times)
    if not _varies(times):
        return None
    variance = times.log_variance
    spread = sqrt(variance / n + variance**2 / (2 * (n - 1)))
    return _around(times.log_mean + variance / 2, student_quantile((1 + LEVEL) / 2, n - 1) * spread)


def minimum_detectable_ratio(times: Durations) -> float | None:
    """By what factor recovery must change for a second sample of this size to show it; None when too few, or all alike.

    exp((z₁ + z₂) · s · sqrt(2/n)): two-sided 5 % significance (z₁), 80 % power (z₂), `s` the standard deviation of the
    logarithms. At s = 0.8 a doubling takes 21 incidents on each side, 20 % more takes 303.

    Source: the two-sample power formula, Chow, Shao and Wang, Sample Size Calculations in Clinical Research, 3.2.
    """
    n = len(times)
    if not _varies(times):
        return None
    quantiles = normal_quantile(1 - SIGNIFICANCE / 2) + normal_quantile(POWER)
    return exp(quantiles * sqrt(times.log_variance) * sqrt(2 / n))


def _varies(times: Durations) -> bool:
    """Whether there are enough, and not all alike: of no variance, no interval says how sure a number is."""
    return len(times) >= FEWEST and not times.alike


def _around(centre: float, half: float) -> Interval:
    largest = log(1e300)  # a spread beyond this is no information, but must stay a JSON number
    low, high = (exp(min(max(end, -largest), largest)) for end in (centre - half, centre + half))
    return Interval(low=low, high=high)
