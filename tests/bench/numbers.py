"""What the client's answers add up to. Pure arithmetic."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, order=True)
class Answer:
    """One question: when it was asked and answered (CLOCK_BOOTTIME, s), and its status, 0 for none."""

    asked: float
    answered: float
    status: int

    @classmethod
    def read(cls, line: str) -> "Answer":
        """A line of the client. Raises ValueError for anything else."""
        asked, answered, status = line.split()
        return cls(float(asked), float(answered), int(status))

    @property
    def good(self) -> bool:
        return self.status == 200


@dataclass(frozen=True)
class Recovery:
    """One fault, seen by the client; infinite while no 200 came."""

    fault_at: float  # CLOCK_BOOTTIME, s
    seconds: float
    relapsed: bool = False  # a bad answer came after the first good one

    @property
    def recovered(self) -> bool:
        return math.isfinite(self.seconds)


def recovery(answers: Sequence[Answer], fault_at: float) -> Recovery:
    """From the fault to the first 200 that was asked for after the first bad answer.

    A question under way, or asked in the moment between the first signal and the last, may still be answered by the
    server that is about to break: such a 200 is no recovery.
    """
    after = sorted(answer for answer in answers if answer.asked >= fault_at)
    broken = next((answer.asked for answer in after if not answer.good), math.inf)
    good = [answer for answer in after if answer.good and answer.asked > broken]
    if not good:
        return Recovery(fault_at, math.inf)
    first = min(answer.answered for answer in good)
    return Recovery(fault_at, first - fault_at, any(not answer.good and answer.asked > first for answer in after))


@dataclass(frozen=True)
class Summary:
    """All rounds of one case, in seconds. One that did not recover counts as infinite, and never drops out."""

    rounds: int
    recovered: int
    relapsed: int
    minimum: float
    median: float
    maximum: float

    @classmethod
    def of(cls, recoveries: Sequence[Recovery]) -> "Summary":
        """Raises ValueError without a round."""
        seconds = [each.seconds for each in recoveries]
        if not seconds:
            raise ValueError("no round was run")
        return cls(
            rounds=len(seconds),
            recovered=sum(each.recovered for each in recoveries),
            relapsed=sum(each.relapsed for each in recoveries),
            minimum=min(seconds),
            median=median(seconds),
            maximum=max(seconds),
        )


def most_that_often(events: int, exposure: float) -> float:
    """The upper 95 % bound of a rate of which so many events were seen in `exposure`: of none, three over the exposure.

    The rate at which so few events or fewer are seen once in twenty times, if they come independently of each other
    (Garwood, Biometrika 28, 1936; for none it is the rule of three, Hanley and Lippman-Hand, JAMA 249, 1983).
    Raises ValueError when nothing was looked at.
    """
    if exposure <= 0:
        raise ValueError(f"nothing was looked at: {exposure}")
    low, high = float(events), events + 4 * math.sqrt(events + 1) + 4
    for _ in range(60):
        middle = (low + high) / 2
        few = sum(math.exp(n * math.log(middle) - middle - math.lgamma(n + 1)) for n in range(events + 1))
        low, high = (middle, high) if few > 0.05 else (low, middle)
    return high / exposure


def ratio(one: float, other: float) -> float | None:
    """How many times `other` goes into `one`; None where that says nothing, since `other` is infinite or 0."""
    if other == 0 or math.isinf(other):
        return None
    return one / other


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}" if math.isfinite(seconds) else "never"


def times(value: float | None) -> str:
    """A ratio as it is printed, with two digits that matter."""
    if value is None:
        return "-"
    if math.isinf(value):
        return "∞"
    return f"{value:.0f}x" if value >= 100 else f"{value:.2f}x" if value < 10 else f"{value:.1f}x"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns aligned; all but the first to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    rule = ["-" * widths[0], *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    return "\n".join((line(header), f"| {' | '.join(rule)} |", *map(line, rows)))
