"""What a time to recover is when it is counted: whole numbers, so that sums are the same whatever was added first."""

from math import floor, log
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

TARGET_S = 120.0

SHORTEST_S = 0.001
"""Shorter durations have the logarithm of this one: zero has none, and two looks are 5 ms apart at the closest."""

LONGEST_S = 1e8
"""Longer ones, of three years, are counted as this long."""

MICROSECONDS = 1_000_000
LOG_PARTS = 1 << 24
"""A logarithm is counted in these parts of 1."""

BUCKET_PARTS = 163_840
"""How wide a bucket is on the logarithmic scale: its ends are 0.98 % apart, so any value in it is within 1 % of any
other."""


class Counted(NamedTuple):
    """One duration: in microseconds; its bucket; how far its logarithm lies from the bucket's middle, in LOG_PARTS."""

    micros: int
    bucket: int
    log_offset: int
    is_quick: bool  # within the target


def counted(seconds: float) -> Counted:
    """The duration, which must not be negative."""
    seconds = min(seconds, LONGEST_S)
    parts = round(log(max(seconds, SHORTEST_S)) * LOG_PARTS)
    bucket = floor(parts / BUCKET_PARTS)
    return Counted(round(seconds * MICROSECONDS), bucket, parts - middle(bucket), seconds <= TARGET_S)


def middle(bucket: int) -> int:
    """The logarithm at the middle of a bucket, in LOG_PARTS."""
    return bucket * BUCKET_PARTS + BUCKET_PARTS // 2


def added(keys: Integers, numbers: Integers) -> tuple[Integers, Integers]:
    """The keys (buckets, say), each once and ascending, with the sums of their rows of `numbers`."""
    if not len(keys):
        return keys, numbers
    order = np.argsort(keys, kind="stable")
    ascending = keys[order]
    first = np.flatnonzero(np.concatenate(([True], ascending[1:] != ascending[:-1])))
    return ascending[first], np.add.reduceat(numbers[order], first)
