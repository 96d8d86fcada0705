"""Lives of an agent that may be killed between any two moments, and what its journal held when each of them ended."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import until

from guardian_agent.config import PlaybookSettings
from guardian_agent.detection.looking import Look
from guardian_agent.healing.brakes import Brakes
from guardian_agent.healing.engine import Engine
from guardian_agent.healing.gate import Disabled, Gate
from guardian_agent.healing.healer import Healer
from guardian_agent.healing.ladders import LadderMemory, Progress
from guardian_agent.healing.pager import Pager
from guardian_agent.healing.recovery import Recovery
from guardian_agent.host.operations import Operation
from guardian_agent.model import Component, Endpoint, Execution, Fact, Incident, Mode, Page, StepState, Tier
from guardian_agent.playbooks import Playbook

HALTED_S = 30.0


class HeldBrakes(Brakes):
    """The brakes of a host whose hold file comes and goes."""

    def __init__(self, lives: "Lives") -> None:
        super().__init__(99, Path("/nowhere"), lambda _: None)
        self._lives = lives

    def halted(self) -> str:
        return self._lives.halted()


class Killed(BaseException):
    """The agent is gone, as by SIGKILL."""


class Lives:
    """The journal, the moments at which the agent dies, and how its executions ended.

    `kills`: after how many events each life ends; an event is the begin or the end of an operation, or a record.
    """

    def __init__(
        self,
        picture: Callable[[], Any],
        *,
        kills: tuple[int, ...] = (),
        by_cancelling: bool = False,
        tail_is_lost: bool = False,
        halts: tuple[int, ...] = (),
    ) -> None:
        """`picture`: the machine as it is, kept with each end; `by_cancelling`: the agent is cancelled, not killed;
        `tail_is_lost`: what was not durable yet at the end of a life never will be; `halts`: after how many events in
        all nothing may be changed for a while."""
        self._picture = picture
        self._kills = list(kills)
        self._by_cancelling = by_cancelling
        self._tail_is_lost = tail_is_lost
        self._halts = sorted(halts)
        self._halted_until_s = 0.0
        self.events_in_all = 0
        self.events = 0
        self.deaths = 0
        self.durable: dict[str, bytes] = {}
        self.under_way: list[Execution] = []
        self.ends: list[tuple[Execution, Any]] = []
        self.pages: list[str] = []
        self.progress: dict[str, Progress] = {}
        self.disabled: dict[str, Disabled] = {}
        self.violations: list[str] = []

    def event(self) -> None:
        """A moment at which the agent may die."""
        self.events += 1
        self.events_in_all += 1
        if self._halts and self.events_in_all >= self._halts[0]:
            self._halts.pop(0)
            self._halted_until_s = asyncio.get_running_loop().time() + HALTED_S
        if self._kills and self.events >= self._kills[0]:
            self._kills.pop(0)
            self.deaths += 1
            if self._by_cancelling and (task := asyncio.current_task()):
                task.cancel()
            else:
                raise Killed

    def halted(self) -> str:
        """Why nothing may be changed now; empty when it may."""
        return "the hold file is there" if asyncio.get_running_loop().time() < self._halted_until_s else ""

    def check_allowed(self, operation: Operation) -> None:
        """Notes what is done while nothing may be, be it an undo."""
        if halted := self.halted():
            self.violations.append(f"{operation.describe()} was done although {halted}")

    def check_journaled(self, operation: Operation) -> None:
        """Notes a step that is done before it is durable that it would be."""
        states = [
            step.state
            for body in self.durable.values()
            for step in msgspec.json.decode(body, type=Execution).steps
            if step.describe == operation.describe()
        ]
        if StepState.APPLYING not in states:
            self.violations.append(f"{operation.describe()} was done before it was durable that it would be")

    def submit(self, *facts: Fact) -> "asyncio.Future[None]":
        """Durable in 5 ms, in order."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        for fact in facts:
            if isinstance(fact, Page):
                self.pages.append(fact.reason)
            if isinstance(fact, Execution):
                copy = msgspec.json.decode(msgspec.json.encode(fact), type=Execution)
                self.under_way.append(copy)
                if fact.outcome is not None:
                    self.ends.append((copy, self._picture()))
        self.event()
        loop.call_later(0.005, self._commit, list(self.under_way), future)
        return future

    def _commit(self, executions: list[Execution], future: "asyncio.Future[None]") -> None:
        self._store(executions)
        if not future.done():
            future.set_result(None)

    def _store(self, executions: list[Execution]) -> None:
        for execution in executions:
            if execution in self.under_way:
                self.under_way.remove(execution)
                self.durable[execution.execution_id] = msgspec.json.encode(execution)

    def end_life(self) -> None:
        """What was under way becomes durable, or is lost; so is an end that was not durable yet."""
        if not self._tail_is_lost:
            self._store(list(self.under_way))
        self.under_way.clear()
        known = {key: msgspec.json.decode(body, type=Execution).outcome for key, body in self.durable.items()}
        self.ends = [end for end in self.ends if known.get(end[0].execution_id) is not None]
        self.events = 0

    def is_over(self, life: "asyncio.Future[None]") -> bool:
        """Whether this life is, or all that it is for."""
        return life.done() or bool(self.ends and not self.under_way)

    def unfinished(self) -> list[Execution]:
        executions = [msgspec.json.decode(body, type=Execution) for body in self.durable.values()]
        return [execution for execution in executions if execution.outcome is None]


class LivesCase:
    """An open incident with one probe: is all well?"""

    def __init__(
        self,
        incident: Incident,
        component: Component | None,
        look: Callable[[], Awaitable[Look]],
        bad: Look | None = None,
        move: Callable[[Endpoint | None], None] = lambda _: None,
    ) -> None:
        """`look`: the owner's; `bad`: what it saw when the incident was opened; `move`: what becomes of a move."""
        self.incident = incident
        self.component = component
        self._look = look
        self._bad = bad
        self.outranked = asyncio.Event()
        self.exhausted_as: set[str] = set()
        self.closed = asyncio.Event()
        self.acting = False
        self.move = move
        self.healed_by = self.last_tried = ""
        self.tries = 0

    async def look(self, probe_id: str) -> Look:
        await asyncio.sleep(0.001)
        return await self._look()

    def looks(self) -> dict[str, Look]:
        return {} if self._bad is None else {self.incident.owner_probe: self._bad}

    def rise(self, probe_id: str) -> int:
        return 2

    def confirm_interval_s(self, probe_id: str) -> float:
        return 0.05

    def streak_s(self, probe_id: str) -> float:
        return 0.1

    def proven_probes(self) -> set[str]:
        return self.good_probes()

    def good_probes(self) -> set[str]:
        return set()

    def acted(self) -> None:
        self.acting = False

    def on_probation(self) -> bool:
        return False

    def started(self, at_s: float) -> None:
        pass

    def not_its_own(self) -> str:
        return ""

    def coming_up(self) -> bool:
        return False

    async def wait_news(self, timeout_s: float | None = None) -> None:
        if timeout_s is None:
            await self.closed.wait()
        else:
            await self.wait_closed(timeout_s)

    async def wait_closed(self, timeout_s: float) -> bool:
        await asyncio.sleep(timeout_s)
        return False


def healer(
    host: FakeHost, lives: Lives, playbook: Playbook, case: LivesCase, components: tuple[Component, ...] = ()
) -> Healer:
    """A new life of the agent: all its objects are new, and what it knows is what the journal has."""
    playbooks = {playbook.playbook_id(): playbook}
    beside: list[Coroutine[Any, Any, object]] = []
    engine = Engine(host, Mode.HEAL, HeldBrakes(lives), lives.submit, lambda _: "")
    pager = Pager(host, None, lives.submit, lambda _, run: beside.append(run))
    recovery = Recovery(host, engine, pager)
    assert recovery.restore(lives.unfinished(), [case]) == []
    memory = LadderMemory(lives.progress.__setitem__)
    memory.restore(lives.progress)
    gate = Gate(host, {playbook.playbook_id(): PlaybookSettings(tier=Tier.AUTOMATIC)}, (), lives.disabled.__setitem__)
    gate.restore(lives.disabled)
    return Healer(
        host,
        engine=engine,
        gate=gate,
        memory=memory,
        pager=pager,
        recovery=recovery,
        ladders={case.incident.issue_type: tuple(playbooks)},
        playbooks=playbooks,
        components=components,
        record=lives.submit,
        spawn=lambda _, run: beside.append(run),
    )


async def play(
    host: FakeHost,
    lives: Lives,
    playbook: Playbook,
    new_case: Callable[[], LivesCase],
    components: tuple[Component, ...] = (),
) -> None:
    """Lives of the agent, one after the other, until an execution has ended for good."""
    while not lives.ends:
        case = new_case()
        life = asyncio.ensure_future(healer(host, lives, playbook, case, components).heal(case))
        try:
            await until(partial(lives.is_over, life), within_s=1e6, step_s=0.25)
            life.cancel()
            await life
        except (Killed, asyncio.CancelledError):
            lives.end_life()
    assert lives.violations == []
