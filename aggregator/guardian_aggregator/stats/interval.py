"""What an interval is, and from how many incidents on it is believed."""

from statistics import NormalDist

import msgspec

LEVEL = 0.9
"""Nominal coverage of every interval that is published."""

FEWEST = 10
"""Below this many incidents no interval of a time is published: from here on their simulated coverage is 87-93 %."""


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """The true value lies in here in `level` of all such samples."""

    low: float
    high: float
    level: float = LEVEL


def normal_quantile(probability: float) -> float:
    """The standard normal value below which `probability` lies."""
    return NormalDist().inv_cdf(probability)


def student_quantile(probability: float, freedom: int) -> float:
    """The value of Student's t below which `probability` lies; right to 0.001 from 5 degrees of freedom on.

    Raises:
        ValueError: fewer than 5 degrees of freedom, where the expansion is too coarse.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    if freedom < 5:
        raise ValueError(f"the expansion needs 5 degrees of freedom, not {freedom}")
    z = normal_quantile(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(z + sum(term / freedom**power for power, term in enumerate(terms, start=1)))
