"""Quantiles that really happened."""

from math import ceil

import numpy as np

from guardian_aggregator.stats.durations import Durations


def quantile(times: Durations, share: float) -> float | None:
    """The smallest duration that at least `share` of all do not exceed, in seconds; None of nothing.

    The inverse of the empirical distribution (type 1): one of the values seen, within one per cent (where a bucket
    holds several it is their mean), never a mixture of two far apart, so that an operator can find the incident.

    Raises:
        ValueError: `share` is not above 0 and at most 1.

    Source: Hyndman and Fan, Amer. Statist. 50:361 (1996).
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share lies above 0 and up to 1, not at {share}")
    if not len(times):
        return None
    rank = ceil(round(share * len(times), 9))  # 0.9 * 10 must be rank 9, whatever its last bit says
    return float(times.seconds[np.searchsorted(np.cumsum(times.counts), rank)])
