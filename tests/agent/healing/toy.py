"""A machine of a few values, a playbook that changes them, and an agent that may be killed between any two moments."""

import asyncio
from typing import ClassVar, Literal

import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.healing import lives
from tests.agent.healing.lives import Lives, LivesCase

from guardian_agent.detection.looking import Look
from guardian_agent.errors import OperationError
from guardian_agent.host import Host
from guardian_agent.host.operations import Operation, RunProgram
from guardian_agent.model import Component, Incident, Layer, Reading, Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step

Fate = Literal["works", "fails", "half", "hangs", "raises", "lies"]
OLD, NEW, BROKEN = "old", "new", "half-written"


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
    halts: tuple[int, ...] = ()  # after how many events nothing may be changed for a while


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
    """The machine, and the lives of the agent on it."""

    def __init__(self, story: Story) -> None:
        super().__init__()
        self.story = story
        self.machine = dict.fromkeys(range(len(story.fates)), OLD)
        self.undo_fates = list(story.undo_fates)
        self.acted = False
        self.blind = story.blind_looks
        self.lives = Lives(
            lambda: dict(self.machine),
            kills=story.kills,
            by_cancelling=story.by_cancelling,
            tail_is_lost=story.tail_is_lost,
            halts=story.halts,
        )

    @property
    def well(self) -> bool:
        return self.story.cure is not None and all(self.machine[key] == NEW for key in self.story.cure)

    async def do(self, operation: Operation, undo: Operation | None = None) -> None:
        assert isinstance(operation, RunProgram)
        verb, key, value = operation.argv[0], int(operation.argv[1]), operation.argv[2]
        self.lives.check_allowed(operation)
        if verb == "do":
            self.lives.check_journaled(operation)
            self.acted = True
        self.lives.event()
        fate = self.story.fates[key] if verb == "do" else self.undo_fates.pop(0) if self.undo_fates else "works"
        if fate in ("half", "hangs", "raises"):
            self.machine[key] = BROKEN
        elif fate == "works":
            self.machine[key] = value
        self.lives.event()
        await asyncio.sleep(0.01)
        if fate == "hangs":
            await asyncio.Event().wait()
        if fate == "raises":
            raise LookupError("a bug")
        if fate in ("fails", "half"):
            raise OperationError("it did not work")

    async def look(self) -> Look:
        if self.acted and self.blind > 0 and self.lives.deaths == 0:
            self.blind -= 1
            return Look(at=self.clock.now(), unknown="cannot tell")
        return Look(at=self.clock.now(), reading=Reading(ok=self.well))

    def case(self) -> LivesCase:
        now = self.clock.now()
        incident = Incident(
            incident_id="i1",
            target="toy",
            issue_type="service_failed",
            layer=Layer.HOST,
            owner_probe="well",
            first_bad_at=now,
            detected_at=now,
        )
        return LivesCase(incident, Component(name="toy", start_grace_s=5.0), self.look)


async def play(story: Story) -> Toy:
    """Lives of the agent on the machine, until an execution has ended for good."""
    toy = Toy(story)
    await lives.play(toy, toy.lives, Change(story=story), toy.case)
    return toy
