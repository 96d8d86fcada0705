"""What a watcher takes from its host, from two weighings of its processes. Pure arithmetic."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Weighed = Mapping[str, Mapping[str, Any]]  # by pid, as weigh.py prints it


@dataclass(frozen=True)
class Footprint:
    """Processor time between two weighings (seconds of one core), and the size at the second one."""

    seconds: float
    own_s: float
    threads_s: float  # of it, other threads than the first of each process
    children_s: float  # of programs that it ran, and that ended in between
    rss_kib: int
    pss_kib: int
    threads: int

    @classmethod
    def between(cls, seconds: float, before: Weighed, after: Weighed) -> "Footprint":
        """Of the processes that were there both times; one that was there only once is a child, and its parent's sum
        has it when it is gone.

        Raises ValueError when there was none: it died, or was started anew.
        """
        stayed = [(before[pid], after[pid]) for pid in after if pid in before]
        if not stayed:
            raise ValueError(f"no process stayed: {before} {after}")
        return cls(
            seconds=seconds,
            own_s=sum(late["own_s"] - early["own_s"] for early, late in stayed),
            threads_s=max(0.0, sum(_of_threads(late) - _of_threads(early) for early, late in stayed)),
            children_s=sum(late["children_s"] - early["children_s"] for early, late in stayed),
            rss_kib=sum(late["rss_kib"] for _, late in stayed),
            pss_kib=sum(late["pss_kib"] for _, late in stayed),
            threads=sum(late["threads"] for _, late in stayed),
        )

    @classmethod
    def together(cls, parts: Iterable["Footprint"]) -> "Footprint":
        """Of watchers that only together do what one other does, weighed at the same time."""
        every = list(parts)
        return cls(
            seconds=every[0].seconds,
            own_s=sum(each.own_s for each in every),
            threads_s=sum(each.threads_s for each in every),
            children_s=sum(each.children_s for each in every),
            rss_kib=sum(each.rss_kib for each in every),
            pss_kib=sum(each.pss_kib for each in every),
            threads=sum(each.threads for each in every),
        )

    @property
    def share(self) -> float:
        """Of one core, the programs that it ran included."""
        return (self.own_s + self.children_s) / self.seconds

    def round_ms(self, every_s: float) -> float:
        """Processor time of one round of looks, in milliseconds."""
        return self.share * every_s * 1000


def _of_threads(process: Mapping[str, Any]) -> float:
    """Two clocks, read one after the other: without another thread the difference may be a little below nothing."""
    return float(process["own_s"]) - float(process["first_thread_s"])
