"""Reads the rollups of a stretch of time: it costs its buckets, not its history."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import apsw
import msgspec
import numpy as np

from guardian_aggregator.durations import Integers, added
from guardian_aggregator.store.filter import Filter
from guardian_aggregator.store.rollups.contribution import (
    DAY_S,
    FLEET,
    HOUR_S,
    MINUTE_S,
    NO_DURATION,
    Group,
    Numbers,
)

_COLUMNS = len(Numbers._fields)
_MOST_KEPT = 256  # pieces, each of some thousands of rows
_MINUTE_NS = MINUTE_S * 1_000_000_000
_END_OF_TIME_S = 1 << 40
_STRIDE = -4 * NO_DURATION  # more than there are buckets
_SUMS = ", ".join(f"sum({name})" for name in Numbers._fields)
_PIECE_SQL = (
    f"SELECT group_id, bucket, {_SUMS} FROM rollups"  # noqa: S608 (our own names)
    " WHERE by_labels = ? AND grain = ? AND start >= ? AND start < ? GROUP BY group_id, bucket"
)


class Sums(NamedTuple):
    """What is added up for each bucket, ascending: a row of `Numbers` each. Without a duration: `NO_DURATION`."""

    buckets: Integers
    numbers: Integers

    @property
    def total(self) -> int:
        """How many they are, of all buckets together."""
        return int(self.numbers[:, Numbers._fields.index("total")].sum())

    @property
    def micros(self) -> int:
        return int(self.numbers[:, Numbers._fields.index("micros")].sum())

    @property
    def recurrences(self) -> int:
        return int(self.numbers[:, Numbers._fields.index("recurrences")].sum())


class Kind(NamedTuple):
    """What incidents (or executions) are told apart by: `playbook` is the one that healed (or ran), '' for none.

    `ending`: a resolution (or an outcome, '' while it runs).
    """

    issue_type: str
    playbook: str
    ending: str


class _Span(NamedTuple):
    grain_s: int
    since_s: int
    until_s: int


class _Piece(NamedTuple):
    """Rows of a span, one a group and bucket."""

    groups: Integers
    buckets: Integers
    numbers: Integers


class _Kept(NamedTuple):
    changes: int
    piece: _Piece


class RollupReader:
    """Remembers what it has read for as long as that holds. For one thread, and one connection."""

    def __init__(self, connection: apsw.Connection, now_s: Callable[[], float] = time.time) -> None:
        self._connection = connection
        self._now_s = now_s
        self._kept: OrderedDict[tuple[bool, _Span], _Kept] = OrderedDict()
        self._groups: dict[int, Group] = {}

    def read(self, kind: str, f: Filter) -> dict[Kind, Sums]:
        """The sums of each kind of `recovery` or `execution`, all as of one moment, of the whole minutes that the
        window touches. No host or component narrows it."""
        self._connection.execute("BEGIN")
        try:
            pieces = list(self._pieces(f))
            self._learn_groups()
            chosen = self._chosen(kind, f)
        finally:
            self._connection.execute("COMMIT")
        return _by_group(pieces, chosen)

    def playbooks(self) -> set[str]:
        """All of which there was ever an execution."""
        self._learn_groups()
        return {group.playbook for group in self._groups.values() if group.kind == "execution"}

    def _pieces(self, f: Filter) -> Iterator[_Piece]:
        since_s = 0 if f.since_ns is None else f.since_ns // _MINUTE_NS * MINUTE_S
        until_s = _END_OF_TIME_S if f.until_ns is None else -(-f.until_ns // _MINUTE_NS) * MINUTE_S
        sql = "SELECT start, changes FROM rollup_days WHERE start >= ? AND start < ? ORDER BY start"
        days = [(int(day), int(number)) for day, number in self._rows(sql, (since_s - since_s % DAY_S, until_s))]
        if not days:
            return
        today_s = int(self._now_s()) // DAY_S * DAY_S  # changes most often, so it is a piece of its own
        for span in spans(max(since_s, days[0][0]), min(until_s, days[-1][0] + DAY_S), today_s):
            changes = sum(number for day, number in days if day + DAY_S > span.since_s and day < span.until_s)
            if changes:
                yield self._piece(bool(f.labels), span, changes)

    def _piece(self, by_labels: bool, span: _Span, changes: int) -> _Piece:
        """It holds as long as none of its days has changed: their numbers only ever grow."""
        key = by_labels, span
        kept = self._kept.get(key)
        if kept is None or kept.changes != changes:
            rows = self._rows(_PIECE_SQL, (by_labels, *span))
            table = np.array(rows, dtype=np.int64).reshape(-1, 2 + _COLUMNS)
            kept = _Kept(changes, _Piece(table[:, 0], table[:, 1], table[:, 2:]))
            self._kept[key] = kept
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return kept.piece

    def _learn_groups(self) -> None:
        newest = max(self._groups, default=0)
        sql = f"SELECT group_id, {', '.join(Group._fields)} FROM rollup_groups WHERE group_id > ?"  # noqa: S608
        for number, *group in self._rows(sql, (newest,)):
            self._groups[number] = Group(*group)

    def _chosen(self, kind: str, f: Filter) -> dict[int, Kind]:
        """The groups that are wanted, and under which name."""
        sets = self._label_sets(f.labels) if f.labels else {FLEET}
        return {
            number: Kind(group.issue_type, group.playbook, group.ending)
            for number, group in self._groups.items()
            if group.kind == kind
            and group.label_set in sets
            and f.issue_type in (None, group.issue_type)
            and f.layer in (None, group.layer)
            and f.playbook in (None, group.playbook)
        }

    def _label_sets(self, labels: Mapping[str, str]) -> set[int]:
        """Those that have all of these."""
        found = self._rows("SELECT label_set, labels FROM label_sets WHERE label_set <> ?", (FLEET,))
        return {number for number, text in found if labels.items() <= msgspec.json.decode(text).items()}

    def _rows(self, sql: str, bindings: tuple[int, ...]) -> list[Any]:
        return self._connection.execute(sql, bindings).fetchall()


def spans(since_s: int, until_s: int, today_s: int) -> Iterator[_Span]:
    """The fewest minutes, hours and days that make up the stretch; `today_s`: a day that stands by itself."""
    at = since_s
    for grain_s, coarser_s in ((MINUTE_S, HOUR_S), (HOUR_S, DAY_S)):
        edge = min(-(-at // coarser_s) * coarser_s, until_s - until_s % grain_s)
        if edge > at:
            yield _Span(grain_s, at, edge)
            at = edge
    for grain_s in (DAY_S, HOUR_S, MINUTE_S):
        edge = until_s - until_s % grain_s
        for stop in (min(today_s, edge), min(today_s + DAY_S, edge), edge) if grain_s == DAY_S else (edge,):
            if stop > at:
                yield _Span(grain_s, at, stop)
                at = stop


def sums_of(rows: Iterable[tuple[int, Numbers]]) -> Sums:
    """The sums of (bucket, numbers)."""
    table = np.array([(bucket, *numbers) for bucket, numbers in rows], dtype=np.int64).reshape(-1, 1 + _COLUMNS)
    return Sums(*added(table[:, 0], table[:, 1:]))


def _by_group(pieces: list[_Piece], chosen: Mapping[int, Kind]) -> dict[Kind, Sums]:
    if not pieces or not chosen:
        return {}
    names = sorted(set(chosen.values()))
    place = {name: number for number, name in enumerate(names)}
    groups = np.concatenate([piece.groups for piece in pieces])
    code = np.full(max(int(groups.max(initial=0)), *chosen) + 1, -1, np.int64)
    for number, name in chosen.items():
        code[number] = place[name]
    ours = code[groups] >= 0
    buckets = np.concatenate([piece.buckets for piece in pieces])[ours] - NO_DURATION  # the lowest there is
    numbers = np.concatenate([piece.numbers for piece in pieces])[ours]
    keys, sums = added(code[groups][ours] * _STRIDE + buckets, numbers)
    edges = np.searchsorted(keys, np.arange(len(names) + 1) * _STRIDE)
    return {
        name: Sums(keys[begin:end] % _STRIDE + NO_DURATION, sums[begin:end])
        for name, begin, end in zip(names, edges[:-1], edges[1:], strict=True)
        if begin < end
    }
