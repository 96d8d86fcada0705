"""How does the agent run: which services, started and stopped in which order?"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from guardian_agent import __version__
from guardian_agent.app import Agent
from guardian_agent.config import AgentConfig
from guardian_agent.custom.catalogue import Catalogue
from guardian_agent.errors import ProbeError, StateEndedError, StateError
from guardian_agent.host.executor_client import ExecutorClient, executor_at
from guardian_agent.host.local import LocalHost
from guardian_agent.model import PlaybookCounters
from guardian_agent.runtime.local_socket import LocalSocket
from guardian_agent.runtime.sd_notify import Notifier
from guardian_agent.runtime.self_health import SelfMeasurement
from guardian_agent.runtime.signals import Signals
from guardian_agent.runtime.supervisor import Life, Service, Supervisor
from guardian_agent.state import State
from guardian_agent.uplink import HelloFacts, PlaybookFacts, Uplink, encode

log = logging.getLogger(__name__)

# Together less than the unit's TimeoutStopSec:
DRAIN_S = 40.0  # for a remedy in flight
PAGES_S = 30.0  # for page commands, which have a limit of their own


class Daemon:
    """One run of the agent with one configuration."""

    def __init__(
        self, config: AgentConfig, notifier: Notifier, *, catalogue: Catalogue | None = None, reloaded: bool = False
    ) -> None:
        """`catalogue`: the probes and playbooks that there are beside those declared; `reloaded`: an operator had the
        configuration read again, after another run of this process."""
        self._config = config
        self._catalogue = catalogue
        self._notifier = notifier
        self._reloaded = reloaded
        self._uplink: Uplink | None = None
        self._executor: ExecutorClient | None = None
        self._agent: Agent
        self._measurement: SelfMeasurement
        self._supervisor: Supervisor
        self._ticks = 0

    async def run(self, signals: Signals) -> bool:
        """Runs until told to stop, or to reload. Answers whether it ended for the sake of a reload.

        Raises:
            StateError: the state folder cannot be used, or no longer can.
            GuardianError: a service could not be started or kept alive.
        """
        self._notifier.alive()
        self._executor = executor_at(self._config.executor_socket)
        async with LocalHost(self._config.state_dir, root=self._executor) as host:
            state = await State.open(self._config.state_dir, encode, host.clock.now, failed=self._state_failed)
            try:
                self._agent = Agent(self._config, host, state, self._catalogue)
                self._measurement = SelfMeasurement(self._agent.incidents.scheduler, state.submit)
                self._supervisor = Supervisor(self._services(state))
                signals.of_run(self._supervisor.stop)
                await self._agent.restore(reloaded=self._reloaded)
                await self._supervisor.run(self._ready)
            finally:
                await state.close()
        return signals.run_ended()

    def _services(self, state: State) -> list[Service]:
        agent = self._agent
        services = [Service(name="watchdog", run=self._keep_alive)]  # the first, and so the last to stop
        if (aggregator := self._config.aggregator) is not None:
            self._uplink = Uplink(aggregator, state, self._hello, self._on_acting_allowed)
            services.append(Service(name="uplink", run=_until_stopped(self._uplink.run)))
        return [
            *services,
            Service(name="healing", run=self._heal, drain_s=DRAIN_S + PAGES_S + 1.0),
            Service(name="events", run=_until_stopped(agent.hastening.run)),
            Service(name="network and pressure events", run=_until_stopped(agent.senses.run)),
            Service(name="accept queues", run=_until_stopped(agent.accept_queues.run)),
            Service(name="learning", run=_until_stopped(agent.learning.run)),
            Service(name="daily", run=_until_stopped(agent.daily.run)),
            Service(name="scheduler", run=_until_stopped(agent.incidents.scheduler.run)),
            Service(name="self-health", run=_until_stopped(self._measurement.run)),
            Service(name="local socket", run=self._answer),
        ]

    async def _heal(self, life: Life) -> None:
        work = asyncio.create_task(self._agent.incidents.run(), name="incidents")
        life.started()
        await _first(work, life.stopping)
        await self._agent.drain(DRAIN_S, PAGES_S)
        await _cancel(work)

    async def _answer(self, life: Life) -> None:
        questions = {
            "status": self._status,
            "learn": self._learn,
            "known_good": self._known_good,
            "observe": self._observe,
        }
        local_socket = LocalSocket(self._config.socket, questions)
        await local_socket.open()
        try:
            life.started()
            await life.stopping.wait()
        finally:
            await local_socket.close()

    async def _keep_alive(self, life: Life) -> None:
        life.started()
        await self._notifier.keep_alive(self._progress, life.stopping)

    def _progress(self) -> int:
        """Grows for as long as looks are on time, and while the services end: each of them has a limit of its own."""
        self._ticks += self._supervisor.ending
        return self._agent.incidents.scheduler.beats() + self._ticks

    async def _status(self, _: dict[str, Any]) -> dict[str, Any]:
        uplink = self._uplink
        bounds = self._agent.state.outbox.bounds()
        return await self._agent.status() | {
            "version": __version__,
            "executor": await self._reach_of_executor(),
            "self_health": msgspec.to_builtins(self._measurement.last),
            "uplink": {
                "configured": uplink is not None,
                "connected": bool(uplink and uplink.connected),
                "last_error": uplink.last_error if uplink else "",
                "unacknowledged": bounds.next_seq - bounds.lowest_seq,
            },
        }

    async def _reach_of_executor(self) -> str:
        """How the executor is, in a few words; empty for an agent that needs none."""
        if self._executor is None:
            return ""
        try:
            greeting = await self._executor.greeting()
        except ProbeError as error:
            return str(error)
        return f"refuses every change: {greeting.refusal}" if greeting.refusal else "ready"

    async def _learn(self, _: dict[str, Any]) -> dict[str, Any]:
        """An operator says that what is there now is good."""
        return {"changes": await self._agent.learning.learn()}

    async def _observe(self, request: dict[str, Any]) -> Any:
        """An operator has a playbook run that has a schedule."""
        return msgspec.to_builtins(await self._agent.daily.run_now(str(request.get("playbook"))))

    async def _known_good(self, _: dict[str, Any]) -> dict[str, Any]:
        known: dict[str, Any] = msgspec.to_builtins(self._agent.host.known.good)
        good = [watch.key for watch in self._agent.incidents.scheduler.watches.values() if watch.ever_good]
        moved = msgspec.to_builtins(self._agent.host.known.moved)
        return {"known_good": known, "ever_good": good, "moved": moved}

    def _hello(self) -> HelloFacts:
        playbooks = [
            PlaybookFacts(
                id=playbook.playbook_id(),
                family=playbook.family(),
                tier=self._agent.gate.tier(playbook),
                heals=playbook.heals,
                counters=self._agent.counters.get(playbook.playbook_id(), PlaybookCounters()),
            )
            for playbook in self._agent.catalogue.playbooks
        ]
        return HelloFacts(
            agent_id=self._config.agent_id,
            agent_version=__version__,
            mode=self._config.mode,
            labels=self._config.labels,
            targets=tuple(component.name for component in self._config.components),
            watches=tuple(self._agent.incidents.scheduler.watches),
            playbooks=tuple(playbooks),
        )

    def _on_acting_allowed(self, allowed: bool) -> None:
        self._agent.brakes.acting_allowed = allowed

    def _ready(self) -> None:
        self._notifier.ready(self._config.summary)
        log.info("ready: %s", self._config.summary)

    def _state_failed(self, error: StateError) -> None:
        log.error("the state cannot be written: %s", error)
        if isinstance(error, StateEndedError):
            self._supervisor.fail(error)


def _until_stopped(run: Callable[[], Awaitable[None]]) -> Callable[[Life], Awaitable[None]]:
    """A service of something that runs until cancelled."""

    async def service(life: Life) -> None:
        work = asyncio.ensure_future(run())
        life.started()
        try:
            await _first(work, life.stopping)
        finally:
            await _cancel(work)

    return service


async def _first(work: "asyncio.Future[None]", stopping: asyncio.Event) -> None:
    """Returns when told to stop; raises what `work` raises."""
    stop = asyncio.ensure_future(stopping.wait())
    try:
        both: list[asyncio.Future[Any]] = [work, stop]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
    if work.done():
        work.result()


async def _cancel(work: "asyncio.Future[None]") -> None:
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
