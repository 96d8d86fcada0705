"""A whole agent on a fake host: detection and healing as they are put together, so that a test reads like a story."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.fake_workloads import FakeCommand, FakeUnit
from tests.agent.healing.fake_state import FakeState

from guardian_agent.app import Agent
from guardian_agent.config import AgentConfig, PlaybookSettings, ProbeSettings
from guardian_agent.detection.case import Case
from guardian_agent.detection.scheduler import Watch
from guardian_agent.model import Component, Endpoint, Execution, Health, Incident, Mode, Outcome, Tier
from guardian_agent.state import State

PORT = Endpoint("0.0.0.0", 80)
URL = "http://127.0.0.1/"
WEB = Component(name="web", unit="nginx.service", listen=PORT, health=Health(http=URL))
SHOP = Component(name="shop", command=("/usr/bin/shop",), listen=PORT, health=Health(http=URL))


def nginx(host: FakeHost) -> FakeUnit:
    """The unit of WEB, up and serving."""
    return host.unit("nginx.service", serves=PORT, url=URL)


def shop(host: FakeHost) -> FakeCommand:
    """The command of SHOP, up and serving."""
    return host.command("shop", serves=PORT, url=URL)


class Scene:
    """An agent that runs. Left by an exception or not, it ends as by SIGKILL: nothing is tidied up."""

    def __init__(
        self,
        host: FakeHost,
        *components: Component,
        state: FakeState | None = None,
        mode: Mode = Mode.HEAL,
        hold_file: Path = Path("/nowhere/hold"),
        actions_per_hour: int = 100,
        protected: Sequence[str] = (),
        page_command: tuple[str, ...] | None = None,
        probes: Mapping[str, ProbeSettings] | None = None,
        playbooks: Mapping[str, PlaybookSettings] | None = None,
        ladders: Mapping[str, tuple[str, ...]] | None = None,
        watches: Sequence[Watch] = (),
        host_probes: bool = False,
    ) -> None:
        self.host = host
        self.state = state or FakeState()
        self.config = AgentConfig(
            agent_id="h1",
            state_dir=Path("/nowhere"),
            socket=Path("/nowhere/agent.sock"),
            hold_file=hold_file,
            mode=mode,
            labels={},
            protected=tuple(protected),
            actions_per_hour=actions_per_hour,
            host_probes=host_probes,
            page_command=page_command,
            aggregator=None,
            components=components,
            probes=dict(probes or {}),
            playbooks=dict(playbooks or {}),
            ladders=dict(ladders or {}),
        )
        self.watches = watches  # beside those that the configuration makes
        self.agent: Agent
        self.services: list[asyncio.Future[None]] = []

    async def start(self) -> None:
        """Begins to run, from what the state holds."""
        self.agent = Agent(self.config, self.host, cast(State, self.state))
        for watch in self.watches:
            self.agent.incidents.scheduler.add(watch)
        await self.agent.restore()
        agent = self.agent
        beside = (agent.senses.run, agent.accept_queues.run, agent.learning.run)
        runs = (agent.incidents.run, agent.hastening.run, *beside, agent.incidents.scheduler.run)
        self.services = [asyncio.ensure_future(run()) for run in runs]

    async def kill(self) -> None:
        tasks: list[asyncio.Future[Any]] = [*self.services, *self.agent._background]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def assert_alive(self) -> None:
        assert not any(service.done() for service in self.services), self.services

    def case(self, target: str = "web") -> Case:
        return self.agent.incidents.open[target]

    @property
    def incidents(self) -> list[Incident]:
        return self.state.incidents()

    @property
    def remedies(self) -> list[Execution]:
        """The executions, without those that only observe."""
        tiers = {playbook.playbook_id(): playbook.tier for playbook in self.agent.playbooks.values()}
        return [e for e in self.state.executions() if tiers.get(e.playbook) != Tier.OBSERVES]

    @property
    def outcomes(self) -> list[tuple[str, Outcome | None]]:
        return [(execution.playbook, execution.outcome) for execution in self.remedies]

    @property
    def pages(self) -> list[str]:
        return [page.reason for page in self.state.pages()]


@contextlib.asynccontextmanager
async def running(
    host: FakeHost, *components: Component, settled: bool = True, **settings: object
) -> AsyncIterator[Scene]:
    """A scene that has run for three good seconds."""
    scene = Scene(host, *components, **settings)  # type: ignore[arg-type]
    await scene.start()
    try:
        if settled:
            await asyncio.sleep(5.0)
            assert scene.incidents == []
            host.done.clear()  # the agent starts commands at its own start
        yield scene
    finally:
        await scene.kill()


async def until(condition: Callable[[], bool], within_s: float = 3600.0, step_s: float = 0.01) -> float:
    """Waits until something is so; answers after how many seconds."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    while not condition():
        assert loop.time() - began_s < within_s, "it never came about"
        await asyncio.sleep(step_s)
    return loop.time() - began_s


def quick(component: Component, start_grace_s: float) -> Component:
    """The component with less patience."""
    return msgspec.structs.replace(component, start_grace_s=start_grace_s)
