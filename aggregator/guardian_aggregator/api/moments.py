"""Wall-clock nanoseconds as RFC 3339 times, and the window that an answer is about."""

from datetime import UTC, datetime, timedelta

import msgspec

SECOND_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """From the first moment that belongs to it to the first that does not."""

    from_: datetime = msgspec.field(name="from")
    to: datetime


def moment(at_ns: int) -> datetime:
    """A time in UTC, to the microsecond."""
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def moment_or_none(at_ns: int | None) -> datetime | None:
    return None if at_ns is None else moment(at_ns)


def window(since_ns: int, until_ns: int) -> Window:
    return Window(from_=moment(since_ns), to=moment(until_ns))
