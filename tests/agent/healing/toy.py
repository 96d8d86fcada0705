"""A machine of a few values, a playbook that changes them, and an agent that may be killed between any two moments."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import until

from guardian_agent.detection.looking import Look
from guardian_agent.errors import OperationError
from guardian_agent.healing.brakes import Brakes
from guardian_agent.healing.engine import Engine
from guardian_agent.healing.gate import Disabled, Gate
from guardian_agent.healing.healer import Healer
from guardian_agent.healing.ladders import LadderMemory, Progress
from guardian_agent.healing.pager import Pager
from guardian_agent.healing.recovery import Recovery
from guardian_agent.host import Host
from guardian_agent.host.operations import Operation, RunProgram
from guardian_agent.model import (
    Component,
    Endpoint,
    Execution,
    Fact,
    Incident,
    Layer,
    Mode,
    Page,
    Reading,
    StepState,
    Tier,
)
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step

Fate = Literal["works", "fails", "half", "hangs", "raises", "lies"]
OLD, NEW, BROKEN = "old", "new", "half-written"


class Killed(BaseException):
    """The agent is gone, as by SIGKILL."""


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """What happens: how each step goes, what it would take to be well, and when the agent dies."""

    fates: tuple[Fate, ...]  # of the steps, one a step
    undo_fates: tuple[Fate, ...]  # of each step's undo, in order; then they work
    irreversible_last: bool
    cure: frozenset[int] | None  # the steps whose change makes all well; None: nothing here does
    blind_looks: int  # so many looks after the first change cannot tell, in the agent's first life
    kills: tuple[int, ...]  # after how many events each life of the agent ends
    by_cancelling: bool  # the agent is cancelled, not killed
    tail_is_lost: bool  # what was not durable yet at the end of a life never will be


class Change(Playbook, frozen=True):
    """Sets every value to its new one."""

    heals: ClassVar = ("service_failed",)
    tier: ClassVar = Tier.AUTOMATIC

    story: Story

    async def plan(self, situation: Situation, host: Host) -> Plan:
        assert isinstance(host, Toy)
        last = len(host.machine) - 1
        return Plan(
            *(
                Step(
                    RunProgram(("do", str(key), NEW)),
                    undo=None
                    if key == last and self.story.irreversible_last
                    else RunProgram(("undo", str(key), value)),
                )
                for key, value in host.machine.items()
            )
        )


class Toy(FakeHost):
    """The machine, its journal, and the lives of the agent on it."""

    def __init__(self, story: Story) -> None:
        super().__init__()
        self.story = story
        self.machine = dict.fromkeys(range(len(story.fates)), OLD)
        self.undo_fates = list(story.undo_fates)
        self.kills = list(story.kills)
        self.events = 0
        self.acted = False
        self.blind = story.blind_looks
        self.durable: dict[str, bytes] = {}
        self.under_way: list[Execution] = []
        self.ends: list[tuple[Execution, dict[int, str]]] = []
        self.pages: list[str] = []
        self.progress: dict[str, Progress] = {}
        self.violations: list[str] = []
        self.disabled: dict[str, Disabled] = {}

    @property
    def well(self) -> bool:
        return self.story.cure is not None and all(self.machine[key] == NEW for key in self.story.cure)

    def event(self) -> None:
        """A moment at which the agent may die."""
        self.events += 1
        if self.kills and self.events >= self.kills[0]:
            self.kills.pop(0)
            if self.story.by_cancelling and (task := asyncio.current_task()):
                task.cancel()
            else:
                raise Killed

    async def do(self, operation: Operation) -> None:
        assert isinstance(operation, RunProgram)
        verb, key, value = operation.argv[0], int(operation.argv[1]), operation.argv[2]
        if verb == "do":
            self._check_journaled(operation)
            self.acted = True
        self.event()
        fate = self.story.fates[key] if verb == "do" else self.undo_fates.pop(0) if self.undo_fates else "works"
        if fate in ("half", "hangs", "raises"):
            self.machine[key] = BROKEN
        elif fate == "works":
            self.machine[key] = value
        self.event()
        await asyncio.sleep(0.01)
        if fate == "hangs":
            await asyncio.Event().wait()
        if fate == "raises":
            raise LookupError("a bug")
        if fate in ("fails", "half"):
            raise OperationError("it did not work")

    def _check_journaled(self, operation: Operation) -> None:
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
                    self.ends.append((copy, dict(self.machine)))
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
        if not self.story.tail_is_lost:
            self._store(list(self.under_way))
        self.under_way.clear()
        known = {key: msgspec.json.decode(body, type=Execution).outcome for key, body in self.durable.items()}
        self.ends = [end for end in self.ends if known.get(end[0].execution_id) is not None]
        self.events, self.blind = 0, 0

    def is_over(self, life: "asyncio.Future[None]") -> bool:
        """Whether this life is, or all that it is for."""
        return life.done() or bool(self.ends and not self.under_way)

    def unfinished(self) -> list[Execution]:
        executions = [msgspec.json.decode(body, type=Execution) for body in self.durable.values()]
        return [execution for execution in executions if execution.outcome is None]


class ToyCase:
    """An open incident of the toy machine, with one probe: is all well?"""

    def on_probation(self) -> bool:
        return False

    def coming_up(self) -> bool:
        return False

    async def wait_news(self, timeout_s: float | None = None) -> None:
        if timeout_s is None:
            await self.closed.wait()
        else:
            await self.wait_closed(timeout_s)

    def __init__(self, toy: Toy) -> None:
        self.toy = toy
        self.outranked = asyncio.Event()
        self.exhausted_as: set[str] = set()
        now = toy.clock.now()
        self.incident = Incident(
            incident_id="i1",
            target="toy",
            issue_type="service_failed",
            layer=Layer.HOST,
            owner_probe="well",
            first_bad_at=now,
            detected_at=now,
        )
        self.component: Component | None = Component(name="toy", start_grace_s=5.0)
        self.closed = asyncio.Event()
        self.acting = False
        self.healed_by = self.last_tried = ""
        self.tries = 0

    async def look(self, probe_id: str) -> Look:
        await asyncio.sleep(0.001)
        if self.toy.acted and self.toy.blind > 0:
            self.toy.blind -= 1
            return Look(at=self.toy.clock.now(), unknown="cannot tell")
        return Look(at=self.toy.clock.now(), reading=Reading(ok=self.toy.well))

    def looks(self) -> dict[str, Look]:
        return {}

    def rise(self, probe_id: str) -> int:
        return 2

    def confirm_interval_s(self, probe_id: str) -> float:
        return 0.05

    def proven_probes(self) -> set[str]:
        return self.good_probes()

    def good_probes(self) -> set[str]:
        return set()

    def move(self, to: Endpoint | None) -> None:
        raise AssertionError("no playbook of the toy moves anything")

    def acted(self) -> None:
        self.acting = False

    async def wait_closed(self, timeout_s: float) -> bool:
        await asyncio.sleep(timeout_s)
        return False


def healer(toy: Toy, case: ToyCase, spawn: list[Coroutine[Any, Any, object]]) -> Healer:
    """A new life of the agent: all its objects are new, and what it knows is what the journal has."""
    playbooks = {Change.playbook_id(): Change(toy.story)}
    engine = Engine(toy, Mode.HEAL, Brakes(99, Path("/nowhere"), lambda _: None), toy.submit, lambda _: "")
    pager = Pager(toy, None, toy.submit, lambda _, run: spawn.append(run))
    recovery = Recovery(engine, playbooks, pager)
    assert recovery.restore(toy.unfinished(), [case]) == []
    memory = LadderMemory(toy.progress.__setitem__)
    memory.restore(toy.progress)
    gate = Gate(toy, {}, (), toy.disabled.__setitem__)
    gate.restore(toy.disabled)
    return Healer(
        toy,
        engine=engine,
        gate=gate,
        memory=memory,
        pager=pager,
        recovery=recovery,
        ladders={"service_failed": tuple(playbooks)},
        playbooks=playbooks,
        components=(),
        record=toy.submit,
        spawn=lambda _, run: spawn.append(run),
    )


async def play(story: Story) -> Toy:
    """Lives of the agent, one after the other, until an execution has ended for good."""
    toy = Toy(story)
    while not toy.ends:
        case = ToyCase(toy)
        life = asyncio.ensure_future(healer(toy, case, []).heal(case))
        try:
            await until(partial(toy.is_over, life), within_s=1e6, step_s=0.25)
            life.cancel()
            await life
        except (Killed, asyncio.CancelledError):
            toy.end_life()
    assert toy.violations == []
    return toy
