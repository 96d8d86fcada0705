"""Shares of a whole, and how sure they are."""

from math import sqrt

from guardian_aggregator.stats.interval import LEVEL, Interval, normal_quantile

FEWEST_OF_A_SHARE = 200
"""Below this many no interval of a share is published: from here on its coverage is 87-93 % for every share from
5 to 95 %. Counts are whole numbers, so of fewer the coverage swings too far from one share to the next."""


def ratio(part: int, whole: int) -> float | None:
    """`part` of `whole`, from 0 to 1; None of nothing."""
    return part / whole if whole else None


def wilson(part: int, whole: int) -> Interval | None:
    """Wilson's score interval for a share; None when `whole` is too few.

    Source: Wilson, J. Amer. Statist. Assoc. 22:209 (1927); Brown, Cai and DasGupta, Statist. Sci. 16:101 (2001).
    """
    if whole < FEWEST_OF_A_SHARE:
        return None
    z = normal_quantile((1 + LEVEL) / 2)
    share = part / whole
    scale = 1 + z**2 / whole
    centre = (share + z**2 / (2 * whole)) / scale
    half = z / scale * sqrt(share * (1 - share) / whole + z**2 / (4 * whole**2))
    return Interval(low=max(0.0, centre - half), high=min(1.0, centre + half))
