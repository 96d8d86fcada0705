"""One request as a handler sees it: what was asked, and whom to ask for the answer."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from guardian_aggregator.api.cursors import Position, read_cursor, write_cursor
from guardian_aggregator.api.moments import SECOND_NS
from guardian_aggregator.api.parameters import DEFAULT_LIMIT, WINDOWS_S
from guardian_aggregator.api.problems import bad, missing
from guardian_aggregator.store import Filter, Queries, Rows

T = TypeVar("T")

_MINUTE_NS = 60 * SECOND_NS
_DAY_NS = WINDOWS_S["24h"] * SECOND_NS


def stores() -> str | None:
    """Nothing is known to have failed."""
    return None


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """`values` by parameter name; `scope` names the question, for its cursors; `now_ns` is the wall clock."""

    queries: Queries
    now_ns: int
    scope: str
    values: dict[str, Any]
    store_failure: Callable[[], str | None] = stores

    @property
    def limit(self) -> int:
        return int(self.values.get("limit", DEFAULT_LIMIT))

    @property
    def position(self) -> Position | None:
        """Where the list goes on; None at its beginning."""
        cursor = self.values.get("cursor")
        return None if cursor is None else read_cursor(self.scope, cursor)

    @property
    def after(self) -> tuple[int, str] | None:
        position = self.position
        return position.after if position else None

    def span(self) -> tuple[int, int] | None:
        """The window asked for, [since, until) in nanoseconds; None when none was. A cursor keeps that of its list.

        Raises:
            Problem: 400; `window` beside `from` or `to`, or a window that is empty.
        """
        position = self.position
        if position and position.since_ns is not None and position.until_ns is not None:
            return position.since_ns, position.until_ns
        length_s, since, until = (self.values.get(name) for name in ("window", "from", "to"))
        if length_s is not None:
            if since is not None or until is not None:
                raise bad("window", "window: not together with from or to")
            return self.now_ns - length_s * SECOND_NS, self.now_ns
        if since is None and until is None:
            return None
        end = self.now_ns if until is None else until
        start = end - _DAY_NS if since is None else since
        if start >= end:
            raise bad("from", "from: must be before to (or before now, when there is no to)")
        return start, end

    def span_or_day(self) -> tuple[int, int]:
        """The window asked for, or the last 24 hours."""
        return self.span() or (self.now_ns - _DAY_NS, self.now_ns)

    def minutes(self) -> tuple[int, int]:
        """As `span_or_day`, in the whole minutes that statistics are kept by: a window that is so long keeps its length
        and ends with this minute, any other begins and ends with the minutes that it touches.
        """
        start, end = self.span_or_day()
        until = -(-end // _MINUTE_NS) * _MINUTE_NS
        if self.values.get("from") is None and self.values.get("to") is None:
            return until - (end - start), until
        return start // _MINUTE_NS * _MINUTE_NS, until

    def filter(self, span: tuple[int, int] | None) -> Filter:
        """The filter asked for, over `span`."""
        since, until = span or (None, None)
        end = self.values.get("to")
        if end is None or end >= self.now_ns:
            until = None  # a window that reaches until now has what hosts whose clocks run ahead date later
        layer = self.values.get("layer")
        return Filter(
            since_ns=since,
            until_ns=until,
            host=self.values.get("host"),
            labels=self.values["label"],
            issue_type=self.values.get("issue_type"),
            playbook=self.values.get("playbook"),
            layer=None if layer is None else int(layer),
            component=self.values.get("target"),
            open=self.values.get("open"),
        )

    def cursor(self, after: tuple[int, str], span: tuple[int, int] | None) -> str:
        """The cursor of the page that follows the row with this key."""
        since, until = span or (None, None)
        return write_cursor(self.scope, Position(after, since, until))

    def page(
        self, rows: Sequence[T], keys: Sequence[str], span: tuple[int, int] | None = None
    ) -> tuple[list[T], str | None]:
        """One page of `rows`, which are all there are, in ascending order of `keys`; and the next one's cursor."""
        position = self.after
        start = 0 if position is None else sum(key <= position[1] for key in keys)
        end = start + self.limit
        return list(rows[start:end]), self.cursor((0, keys[end - 1]), span) if end < len(rows) else None

    def cut(self, rows: Sequence[T], keys: Sequence[tuple[int, str]], span: tuple[int, int] | None) -> str | None:
        """The next page's cursor when `rows` hold one more than the limit, or were cut short; else None."""
        if len(rows) > self.limit:
            return self.cursor(keys[self.limit - 1], span)
        return self.cursor(keys[-1], span) if isinstance(rows, Rows) and rows.cut_short else None


def found(row: T | None, what: str) -> T:
    """The row.

    Raises:
        Problem: 404; there is none.
    """
    if row is None:
        raise missing(f"no such {what}")
    return row
