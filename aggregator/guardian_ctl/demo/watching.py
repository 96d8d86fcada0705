"""The component's client: asks all the time, and notes when it got no answer."""

import asyncio
import time
from dataclasses import dataclass, replace
from http import HTTPStatus

import aiohttp

INTERVAL_S = 0.025
TIMEOUT_S = 0.25


@dataclass(frozen=True)
class Outage:
    """From the asking of the first question that got no 200 to the next 200 (Unix time); `end` is None until then."""

    start: float
    end: float | None = None

    @property
    def seconds(self) -> float | None:
        return None if self.end is None else self.end - self.start


class WatchingClient:
    """Asks a URL every 25 ms, each time on a new connection, and waits 250 ms for the answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.questions = 0
        self.outages: list[Outage] = []
        self.good_since: float | None = None  # None while there is no good answer
        # Wall clock for moments beside the agent's, steady clock for the time between two of them.
        self._offset_s = time.time() - time.monotonic()

    def now(self) -> float:
        """Unix time by the steady clock."""
        return time.monotonic() + self._offset_s

    async def run(self) -> None:
        """Asks until cancelled."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            while True:
                asked = self.now()
                self.note(asked, await self._ask(session), self.now())
                await asyncio.sleep(max(0.0, asked + INTERVAL_S - self.now()))

    def note(self, asked: float, good: bool, answered: float) -> None:
        """Takes one question and its answer into account; what was bad before the first good one is no outage."""
        self.questions += 1
        if good and self.good_since is None:
            self.good_since = answered
            if self.outages:
                self.outages[-1] = replace(self.outages[-1], end=answered)
        elif not good and self.good_since is not None:
            self.good_since = None
            self.outages.append(Outage(asked))

    def outage_since(self, moment: float) -> Outage | None:
        """What the client missed after `moment`, from its first bad question there to its last recovery."""
        # The question that was under way counts as well: asked just before, and never answered.
        missed = [outage for outage in self.outages if outage.start >= moment - TIMEOUT_S]
        return Outage(missed[0].start, missed[-1].end) if missed else None

    async def _ask(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(self.url) as response:
                await response.read()
                return response.status == HTTPStatus.OK
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
