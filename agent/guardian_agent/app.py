"""One agent, put together: the only file that knows every class."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec

from guardian_agent.checkup import WholeHost
from guardian_agent.config import AgentConfig, parse_endpoint
from guardian_agent.custom.catalogue import Catalogue
from guardian_agent.daily import Daily
from guardian_agent.detection.accept_queues import AcceptQueues
from guardian_agent.detection.case import Case
from guardian_agent.detection.first_sight import Interests
from guardian_agent.detection.hastening import Hastening
from guardian_agent.detection.holds import Hold, Holds
from guardian_agent.detection.incidents import Closed, Incidents, Memory
from guardian_agent.detection.learning import Learning
from guardian_agent.detection.moves import Moved, Moves
from guardian_agent.detection.purpose import OnPurpose
from guardian_agent.detection.senses import Senses
from guardian_agent.detection.watches import watches_of
from guardian_agent.errors import OperationError, ProbeError
from guardian_agent.healing.brakes import Actions, Brakes
from guardian_agent.healing.engine import Engine
from guardian_agent.healing.gate import Disabled, Gate
from guardian_agent.healing.healer import Healer
from guardian_agent.healing.ladders import DEFAULT_LADDERS, LadderMemory, Progress
from guardian_agent.healing.pager import Pager
from guardian_agent.healing.recovery import Recovery, units_stopped
from guardian_agent.healing.schedule import LastRun
from guardian_agent.host import Host, KnownGood, ProcessState
from guardian_agent.host.operations import StartCommand
from guardian_agent.integrity import integrity
from guardian_agent.model import Execution, Fact, Mode, Outcome, PlaybookCounters
from guardian_agent.probes.host_process import HostProcess
from guardian_agent.state.journal import KEPT
from guardian_agent.state.state import Forget, Remember, State
from guardian_agent.uplink.stream import ActingAllowed

log = logging.getLogger(__name__)

LADDER, BRAKES, DISABLED, HOLD, CLOSED, SEEN_GOOD = "ladder", "brakes", "disabled", "hold", "closed", "seen_good"
KNOWN_GOOD, SCHEDULE, MOVED = "known_good", "schedule", "moved"
MOST_SHOWN_BYTES = 4096  # of an execution's evidence in a status


class SeenGood(msgspec.Struct, frozen=True):
    """A probe was good at least once on this host."""


class Agent:
    """Detection and healing on one host, over one state; the runtime's services run its parts."""

    def __init__(self, config: AgentConfig, host: Host, state: State, catalogue: Catalogue | None = None) -> None:
        """`catalogue`: the probes and playbooks that there are, without those that the configuration declares."""
        self.config = config
        self.catalogue = (catalogue or Catalogue()).with_declared(config)
        self.host = host
        self.state = state
        self.counters: dict[str, PlaybookCounters] = {}  # of every playbook that has ever run here
        self._background: set[asyncio.Task[object]] = set()
        components = {component.name: component for component in config.components}
        self.holds = Holds(
            remember=lambda hold: self._remember(HOLD, hold.component, hold),
            forget=lambda component: self._forget(HOLD, component),
        )
        self.moves = Moves(
            host,
            components,
            remember=lambda name, moved: self._remember(MOVED, name, moved),
            forget=lambda name: self._forget(MOVED, name),
        )
        self.brakes = Brakes(
            config.actions_per_hour, config.hold_file, lambda actions: self._remember(BRAKES, "actions", actions)
        )
        self.gate = Gate(
            host, config.playbooks, config.protected, lambda key, value: self._remember(DISABLED, key, value)
        )
        self.ladder_memory = LadderMemory(lambda key, progress: self._remember(LADDER, key, progress))
        self.playbooks = self.catalogue.configured(config.playbooks)
        alone = OnPurpose(config.components, self.holds)
        self.engine = Engine(host, config.mode, self.brakes, self._submit, alone.why_untouchable, alone.why_stopped)
        self.healer, self.recovery = self._healing()
        self.incidents = Incidents(
            host,
            components,
            self.holds,
            Memory(
                record=self._record,
                seen_good=lambda key: self._remember(SEEN_GOOD, key, SeenGood()),
                closed=lambda key, closed: self._remember(CLOSED, key, closed),
                moved=self.moves.move,
            ),
            heal=self.healer.heal,
            on_closed=self.healer.closed,
        )
        probes = self.catalogue.probes
        for watch in watches_of(config.components, config.probes, probes=probes, host_probes=config.host_probes):
            self.incidents.scheduler.add(watch)
        scheduler = self.incidents.scheduler
        self.hastening = Hastening(host, config.components, self.holds, self.incidents)
        self.senses = Senses(host, scheduler)
        self.accept_queues = AcceptQueues(host, config.components, scheduler)
        self.learning = Learning(
            host, scheduler, _interests(config), lambda good: self._remember(KNOWN_GOOD, "host", good)
        )
        self.daily = Daily(
            host,
            config.agent_id,
            self.playbooks,
            self.engine,
            self._whole_host,
            lambda key, last: self._remember(SCHEDULE, key, last),
        )

    async def restore(self, *, reloaded: bool = False) -> None:
        """Takes up what the state holds from before, looks at what systemd says, and starts the commands.

        `reloaded`: an operator asked for it, and so what is disabled is so no longer.
        """
        recall = self.state.recall
        if (last := (await recall("uplink", ActingAllowed)).get("acting_allowed")) is not None:
            self.brakes.acting_allowed = last.allowed
        self.counters = await self.state.counters()
        if (good := (await recall(KNOWN_GOOD, KnownGood)).get("host")) is not None:
            self.host.known.good = good
        self.daily.restore(await recall(SCHEDULE, LastRun), lambda key: self.gate.enabled(self.playbooks[key]))
        await self.moves.restore(await recall(MOVED, Moved))
        self.holds.restore(await recall(HOLD, Hold))
        self.brakes.restore((await recall(BRAKES, Actions)).get("actions"))
        disabled = await recall(DISABLED, Disabled)
        if reloaded:
            self.state.submit(*(Forget(DISABLED, key) for key in disabled))
            disabled = {}
        self.gate.restore(disabled)
        await self.gate.learn_names(component.unit for component in self.config.components if component.unit)
        self.ladder_memory.restore(await recall(LADDER, Progress))
        cases = self.incidents.restore(
            await self.state.open_incidents(), await recall(CLOSED, Closed), set(await recall(SEEN_GOOD, SeenGood))
        )
        orphans = self.recovery.restore(await self.state.unfinished_executions(), cases)
        await self._credit_what_was_done(cases)
        await self.hastening.hold_what_is_stopped(units_stopped(orphans))
        if orphans:
            self._spawn("close what was left half done", self._close_orphans(orphans))
        if self.config.mode == Mode.HEAL:
            await self._start_commands()

    async def _close_orphans(self, executions: Sequence[Execution]) -> None:
        for execution in executions:
            await self.healer.close_orphan(execution)

    async def drain(self, timeout_s: float, pages_s: float = 0.0) -> None:
        """Waits until no remedy is in flight, `timeout_s` seconds at most, and then for page commands and what else
        runs beside, `pages_s` seconds at most; no remedy is begun meanwhile."""
        self.brakes.draining = True
        try:
            async with asyncio.timeout(timeout_s):
                await self.brakes.one_at_a_time.acquire()
        except TimeoutError:
            log.error("a remedy was still in flight after %.0f s; it is taken up at the next start", timeout_s)
        try:
            async with asyncio.timeout(pages_s):
                while self._background:
                    await asyncio.wait(set(self._background))
        except TimeoutError:
            log.error("not waited for any longer: %s", ", ".join(task.get_name() for task in self._background))
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def status(self) -> dict[str, Any]:
        """What `guardian-agent status` shows: probes, open incidents, holds, brakes, playbooks."""
        now = self.host.clock.now()
        counters = await self.state.counters()
        return {
            "agent": self.config.agent_id,
            "mode": self.config.mode,
            "brake": self.brakes.refusal(now),
            "probes": [_probe_status(watch, self.holds) for watch in self.incidents.scheduler.watches.values()],
            "known_good": msgspec.to_builtins(self.host.known.good),
            "incidents": [msgspec.to_builtins(case.incident) for case in self.incidents.open.values()],
            "held": {name.name: reason for name in self.config.components if (reason := self.holds.reason(name.name))},
            "moved": {name: str(endpoint) for name, endpoint in self.host.known.moved.items()},
            "disabled_playbooks": self.gate.disabled,
            "playbooks": {key: msgspec.to_builtins(value) for key, value in counters.items()},
            "recent_executions": [_briefly(execution) for execution in await self.state.recent_executions(5)],
        }

    async def _credit_what_was_done(self, cases: Sequence[Case]) -> None:
        """What healed an incident before the agent's restart has healed it still."""
        by_incident = {case.incident.incident_id: case for case in cases}
        for execution in reversed(await self.state.recent_executions(KEPT) if cases else []):
            case = by_incident.get(execution.incident_id)
            if case and execution.outcome == Outcome.HEALED:
                case.healed_by = case.last_tried = execution.playbook

    def _healing(self) -> tuple[Healer, Recovery]:
        pager = Pager(self.host, self.config.page_command, self._record, self._spawn)
        units = [component.unit for component in self.config.components if component.unit]
        recovery = Recovery(self.host, self.engine, pager, units)
        healer = Healer(
            self.host,
            engine=self.engine,
            gate=self.gate,
            memory=self.ladder_memory,
            pager=pager,
            recovery=recovery,
            ladders={**self.catalogue.ladders(DEFAULT_LADDERS), **self.config.ladders},
            playbooks=self.playbooks,
            components=self.config.components,
            record=self._record,
            spawn=self._spawn,
        )
        return healer, recovery

    def _whole_host(self) -> WholeHost:
        scheduler = self.incidents.scheduler
        return WholeHost(
            self.host,
            components=self.config.components,
            playbooks=self.playbooks,
            watches=tuple(scheduler.watches.values()),
            look=scheduler.look,
            ever_good=lambda watch: watch.ever_good,
            integrity=lambda: integrity(self.host, self.state.broken_chain),
            protected=self.gate.protected,
        )

    async def _start_commands(self) -> None:
        """Starts what is to run and does not, unless nothing may be done.

        A command that was good and is dead is left to its incident.
        """
        if halted := self.brakes.halted():
            log.warning("no command is started: %s", halted)
            return
        for component in self.config.components:
            if component.command is None:
                continue
            try:
                process = await self.host.processes.command(component.name)
                if component.name in self.incidents.open and process is not None:
                    continue
                if not self._died(component.name, process):
                    await self.host.do(StartCommand(component.name, component.command))
            except (OperationError, ProbeError) as error:
                log.error("%s could not be started: %s", component.name, error)

    def _died(self, component: str, process: ProcessState | None) -> bool:
        """Whether the command ran on this boot, as the probe saw, and runs no more."""
        watch = self.incidents.scheduler.watches.get(f"{HostProcess.probe_id()}/{component}")
        return process is not None and not process.alive and watch is not None and watch.ever_good

    def _submit(self, *changes: Fact | Remember | Forget) -> asyncio.Future[None]:
        stored = self.state.submit(*changes)
        if any(isinstance(change, Execution) and change.outcome for change in changes):
            self._spawn("count executions", self._count())
        return stored

    async def _count(self) -> None:
        self.counters = await self.state.counters()

    def _record(self, fact: Fact) -> None:
        self.state.submit(fact)

    def _remember(self, kind: str, key: str, value: msgspec.Struct) -> None:
        self.state.submit(Remember(kind, key, value))

    def _forget(self, kind: str, key: str) -> None:
        self.state.submit(Forget(kind, key))

    def _spawn(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work, name=name)
        self._background.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("%s failed", task.get_name(), exc_info=error)


def _briefly(execution: Execution) -> Any:
    """As it is shown in a status: what it found only where that is short, since it may be a bundle."""
    size = len(msgspec.json.encode(execution.evidence))
    if size > MOST_SHOWN_BYTES:
        execution = msgspec.structs.replace(execution, evidence={"omitted_bytes": size})
    return msgspec.to_builtins(execution)


def _interests(config: AgentConfig) -> Interests:
    """The aggregator and the remote dependencies are whom this host must reach."""
    remote = [needed for component in config.components for needed in component.depends_on if needed.startswith("tcp:")]
    if config.aggregator is not None:
        remote.append(f"tcp:{config.aggregator.address}")
    hosts = dict.fromkeys(parse_endpoint(endpoint).host for endpoint in remote)
    return Interests(reached=tuple(hosts), components=config.components, network=config.host_probes)


def _probe_status(watch: Any, holds: Holds) -> dict[str, Any]:
    look = watch.last_look
    return {
        "probe": watch.probe_id,
        "target": watch.target,
        "layer": watch.probe.layer.name.lower(),
        "state": str(watch.condition.state),
        "ok": look.ok if look else None,
        "unknown": look.unknown if look else "not looked at yet",
        "evidence": look.reading.evidence if look and look.reading else {},
        "held": holds.reason(watch.target),
    }
