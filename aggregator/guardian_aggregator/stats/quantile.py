"""Quantiles that really happened."""

from collections.abc import Sequence
from math import ceil


def quantile(ascending: Sequence[float], share: float) -> float | None:
    """The smallest duration that at least `share` of all do not exceed; None of nothing.

    The inverse of the empirical distribution (type 1): one of the values seen, never a mixture of two, so that an
    operator can find the incident. `ascending` must be sorted.

    Raises:
        ValueError: `share` is not above 0 and at most 1.

    Source: Hyndman and Fan, Amer. Statist. 50:361 (1996).
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share lies above 0 and up to 1, not at {share}")
    if not ascending:
        return None
    rank = ceil(round(share * len(ascending), 9))  # 0.9 * 10 must be rank 9, whatever its last bit says
    return ascending[rank - 1]
