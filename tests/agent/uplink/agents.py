"""The agent's end of the stream, for tests: a state, an uplink that hurries, and the patience to wait for both."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.agent.state.samples import transition

from guardian_agent.config import AggregatorAddress
from guardian_agent.model import Mode, PlaybookCounters, Tier
from guardian_agent.state import State
from guardian_agent.uplink import HelloFacts, Pace, PlaybookFacts, Uplink

QUICK = Pace(first_s=0.02, cap_s=0.05, refused_s=0.1, welcome_s=1.0, company_s=0.0, ack_s=0.3, ping_s=0.2, pong_s=0.2)


def hello_facts() -> HelloFacts:
    counters = PlaybookCounters(executions=3, successes=2, failures=1)
    playbook = PlaybookFacts(
        id="restart_service", family="auto_heal", tier=Tier.AUTOMATIC, heals=("service_failed",), counters=counters
    )
    return HelloFacts(
        agent_id="web-1",
        agent_version="0.1.0",
        mode=Mode.HEAL,
        labels={"site": "ams"},
        targets=("web",),
        playbooks=(playbook,),
    )


async def until(condition: Callable[[], object], timeout_s: float = 15.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class Agent:
    """A state and an uplink; `heard` is what it was told about acting."""

    def __init__(
        self, state: State, to: str | AggregatorAddress, pace: Pace = QUICK, facts: HelloFacts | None = None
    ) -> None:
        """`to` as HOST:PORT: without TLS."""
        self.state = state
        self.heard: list[bool] = []
        aggregator = AggregatorAddress(address=to, insecure=True) if isinstance(to, str) else to
        self.uplink = Uplink(aggregator, state, lambda: facts or hello_facts(), self.heard.append, pace=pace)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Agent"]:
        task = asyncio.create_task(self.uplink.run())
        try:
            yield self
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def waiting(self) -> int:
        bounds = self.state.outbox.bounds()
        return bounds.next_seq - bounds.lowest_seq

    async def drained(self) -> None:
        await until(lambda: self.waiting == 0)

    async def submit(self, *numbers: int) -> None:
        await asyncio.gather(*(self.state.submit(transition(number)) for number in numbers))


def named(*numbers: int) -> list[str]:
    return [f"web-{number}" for number in numbers]
