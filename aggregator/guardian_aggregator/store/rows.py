"""What the read side answers besides whole rows: only what statistics need, and lists of bounded size."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

LARGEST_LIST = 8 << 20
"""Characters of text in one list of rows, all but its last row."""


class FleetSelfHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The newest words of the connected agents about themselves, together; zeros where none has said anything."""

    late: int  # agents that were late for some of their looks
    loop_lag_worst_seconds: float
    cpu_ratio: float  # the largest share of a processor
    resident_bytes: int  # the largest


class Rows(list[T]):
    """A list; `cut_short` when more rows were asked for than fit."""

    cut_short = False


class Bounded:
    """Passes rows of a cursor on, until they are `LARGEST_LIST` together; `full` says that it ended there."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._rows = rows
        self.full = False

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        size = 0
        for row in self._rows:
            if size > LARGEST_LIST:
                self.full = True
                return
            size += sum(len(value) for value in row if isinstance(value, str))
            yield row
