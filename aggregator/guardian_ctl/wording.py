"""Numbers and moments in the words of the tables."""

from datetime import UTC, datetime

NOTHING = "\N{EN DASH}"
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


def seconds(value: float | None) -> str:
    """A duration: `0.004 s`, `1.32 s`, `14.2 s`, `3 min 20 s`, `2 h 5 min`, `4 d 1 h`."""
    if value is None:
        return NOTHING
    if value < 0:
        return f"-{seconds(-value)}"
    for below, digits in ((0.0995, 3), (9.995, 2), (99.95, 1)):
        if value < below:
            return f"{value:.{digits}f} s"
    whole = round(value)
    for unit_s, unit, smaller_s, smaller in (
        (DAY_S, "d", HOUR_S, "h"),
        (HOUR_S, "h", MINUTE_S, "min"),
        (MINUTE_S, "min", 1, "s"),
    ):
        if whole >= unit_s:
            rest = whole % unit_s // smaller_s
            return f"{whole // unit_s} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def interval(value: dict[str, float] | None) -> str:
    """An interval of durations, as a half-sentence; empty when there is none."""
    return f" ({value['level']:.0%}: {seconds(value['low'])} to {seconds(value['high'])})" if value else ""


def share(value: float | None) -> str:
    """A ratio from 0 to 1 as per cent; 100 % only when it is all of them."""
    if value is None:
        return NOTHING
    if value in (0.0, 1.0):
        return f"{value:.0%}".replace("%", " %")
    return f"{min(value * 100, 99.9):.1f} %"


def moment(value: str | None) -> str:
    """An RFC 3339 time by this machine's clock and zone, as its journal shows it."""
    return NOTHING if value is None else f"{when(value).astimezone():%Y-%m-%d %H:%M:%S}"


def zone() -> str:
    """The zone that `moment` tells times in."""
    return f"{datetime.now(UTC).astimezone():%Z}"


def when(value: str) -> datetime:
    """An RFC 3339 time of the API."""
    return datetime.fromisoformat(value)


def since(value: str, now: datetime | None = None) -> float:
    """The seconds that have gone by; 0 for what another clock puts into the future."""
    return max(0.0, ((now or datetime.now(UTC)) - when(value)).total_seconds())


def plain(value: object) -> str:
    """What hosts told, safe for a terminal: no escape sequences, no line ends; nothing is a dash."""
    text = NOTHING if value is None or value == "" else str(value)
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def several(count: int, what: str) -> str:
    """`1 incident`, `2 incidents`."""
    return f"{count} {what}{'' if count == 1 else 's'}"
