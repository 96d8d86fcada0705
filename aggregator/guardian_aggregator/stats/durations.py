"""Many times to recover at once, in buckets of less than one per cent."""

from collections.abc import Iterable
from functools import cached_property
from math import exp
from typing import Self

import numpy as np
import numpy.typing as npt

from guardian_aggregator.durations import BUCKET_PARTS, LOG_PARTS, MICROSECONDS, Integers, added, counted

Floats = npt.NDArray[np.float64]

TOTAL, MICROS, LOG_OFFSETS, LOG_SQUARES, QUICK = range(5)


class Durations:
    """`buckets`, ascending, and for each a row of `numbers`: how many, their microseconds, how far their logarithms lie
    from the bucket's middle, the squares of that, how many were within the target. See `guardian_aggregator.durations`.

    It never changes, so what is worked out once is kept.
    """

    def __init__(self, buckets: Integers, numbers: Integers) -> None:
        self.buckets = buckets
        self.numbers = numbers

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Self:
        """Those durations, none of them negative."""
        rows = []
        for each in seconds:
            micros, bucket, offset, is_quick = counted(each)
            rows.append((bucket, 1, micros, offset, offset * offset, int(is_quick)))
        table = np.array(rows, dtype=np.int64).reshape(-1, 6)
        return cls(*added(table[:, 0], table[:, 1:]))

    @classmethod
    def together(cls, several: Iterable["Durations"]) -> "Durations":
        """All of them."""
        parts = [part for part in several if len(part.buckets)]
        if len(parts) == 1:
            return parts[0]
        buckets = np.concatenate([np.zeros(0, np.int64), *(part.buckets for part in parts)])
        numbers = np.concatenate([np.zeros((0, 5), np.int64), *(part.numbers for part in parts)])
        return cls(*added(buckets, numbers))

    def __len__(self) -> int:
        return self._total

    @cached_property
    def _total(self) -> int:
        return int(self.numbers[:, TOTAL].sum())

    @cached_property
    def seconds(self) -> Floats:
        """One value a bucket, ascending: the mean of what is in it."""
        return np.divide(self.numbers[:, MICROS], self.numbers[:, TOTAL] * MICROSECONDS, dtype=np.float64)

    @property
    def counts(self) -> Integers:
        return self.numbers[:, TOTAL]

    @property
    def quick(self) -> int:
        return int(self.numbers[:, QUICK].sum())

    @property
    def mean(self) -> float | None:
        """In seconds."""
        return int(self.numbers[:, MICROS].sum()) / MICROSECONDS / len(self) if len(self) else None

    @cached_property
    def log_mean(self) -> float:
        return float((self.counts * self._middles + self.numbers[:, LOG_OFFSETS]).sum()) / LOG_PARTS / len(self)

    @cached_property
    def log_variance(self) -> float:
        """Of the logarithms, with n - 1; of two durations or more."""
        apart = self._middles - self.log_mean * LOG_PARTS
        offsets, squares = (self.numbers[:, each].astype(np.float64) for each in (LOG_OFFSETS, LOG_SQUARES))
        total = float((self.counts * apart**2 + 2 * apart * offsets + squares).sum())
        return max(0.0, total) / LOG_PARTS**2 / (len(self) - 1)

    @property
    def alike(self) -> bool:
        """Whether all are equally long, as far as logarithms tell."""
        if len(self.buckets) != 1:
            return not len(self.buckets)
        total, _, offsets, squares, _ = (int(number) for number in self.numbers[0])
        return total * squares == offsets * offsets

    @property
    def geometric_mean(self) -> float | None:
        """The exponential of the mean logarithm, in seconds."""
        return exp(self.log_mean) if len(self) else None

    @cached_property
    def _middles(self) -> Floats:
        return self.buckets.astype(np.float64) * BUCKET_PARTS + BUCKET_PARTS // 2
