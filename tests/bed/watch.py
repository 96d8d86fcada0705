"""A client on the hub that watches a URL, and the outages that it saw."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.bed.host import Host
from tests.bed.spawned import Spawned
from tests.bed.waiting import until

CLIENT = Path(__file__).with_name("client.py").read_text()


@dataclass(frozen=True)
class Sample:
    """One question: when it was asked and answered (CLOCK_BOOTTIME, s), and the status, or the error instead."""

    asked: float
    answered: float
    status: int | None
    error: str | None

    @property
    def good(self) -> bool:
        return self.status == 200


@dataclass(frozen=True)
class Outage:
    """From the asking of the first bad question to the first good answer after it; `end` is None while it lasts."""

    start: float
    end: float | None

    @property
    def seconds(self) -> float:
        """Raises ValueError while it lasts."""
        if self.end is None:
            raise ValueError("the outage lasts still")
        return self.end - self.start


def outages(samples: Iterable[Sample]) -> list[Outage]:
    """The stretches of bad answers, in order of asking."""
    found: list[Outage] = []
    since: float | None = None
    for sample in sorted(samples, key=lambda sample: sample.asked):
        if since is None and not sample.good:
            since = sample.asked
        elif since is not None and sample.good:
            found.append(Outage(since, sample.answered))
            since = None
    return found if since is None else [*found, Outage(since, None)]


@dataclass
class Watch:
    """A running client."""

    url: str
    client: Spawned

    def samples(self) -> list[Sample]:
        """All answers so far. Raises ValueError with the client's own words when it broke."""
        lines = self.client.lines()
        try:
            return [Sample(**json.loads(line)) for line in lines]
        except (ValueError, TypeError):
            raise ValueError("the client broke:\n" + "\n".join(lines[-20:])) from None

    def outages(self) -> list[Outage]:
        return outages(self.samples())

    async def wait_good(self, *, after: float = 0.0, within_s: float = 10.0) -> Sample:
        """The first 200 to a question asked after that time. Raises TimeoutError when none comes."""

        async def good() -> list[Sample]:
            return [sample for sample in self.samples() if sample.good and sample.asked > after]

        found = await until(good, f"{self.url} answers 200", within_s=within_s, every_s=0.02)
        return min(found, key=lambda sample: sample.asked)

    async def wait_bad(self, *, after: float = 0.0, within_s: float = 10.0) -> Sample:
        """The first bad answer to a question asked after that time. Raises TimeoutError when none comes."""

        async def bad() -> list[Sample]:
            return [sample for sample in self.samples() if not sample.good and sample.asked > after]

        found = await until(bad, f"{self.url} fails", within_s=within_s, every_s=0.02)
        return min(found, key=lambda sample: sample.asked)


@contextlib.asynccontextmanager
async def watching(
    client_host: Host, url: str, *, interval_s: float = 0.05, timeout_s: float = 0.25
) -> AsyncIterator[Watch]:
    """Watches `url` from a host (the hub, say) for the length of a `with`; it was good once when that begins.

    Raises:
        TimeoutError: it was not good within ten seconds.
    """
    options = [f"--interval-s={interval_s}", f"--timeout-s={timeout_s}"]
    watch = Watch(url, client_host.spawn("python3", "-c", CLIENT, url, *options))
    try:
        await watch.wait_good()
        yield watch
    finally:
        watch.client.stop()
