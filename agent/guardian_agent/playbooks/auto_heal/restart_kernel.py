"""Restarts a core process ("kernel") that must beat and does not, and keeps the evidence of where it hung."""

import asyncio
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec

from guardian_agent.errors import CannotPlanError, ProbeError
from guardian_agent.host import Host
from guardian_agent.host.operations import (
    KillUnit,
    ResetFailedUnit,
    RestartUnit,
    StartCommand,
    StartUnit,
    StopCommand,
    StopUnit,
)
from guardian_agent.host.questions import Question, ReadStacks, ReadVitals, ThreadStack
from guardian_agent.model import Component, Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step
from guardian_agent.playbooks.dependency_order import insist_on_dependencies
from guardian_agent.playbooks.unit_restart import DOWN

MOST_BYTES = 16 * 1024  # of evidence, as JSON: what an execution carries to the aggregator
LONGEST_SENTENCE = 2048
MOST_PROCESSES = 10
LOOK_LIMIT_S = 5.0  # for each question: the remedy does not wait longer for its evidence
KILLED_WAIT_S = 1.0  # systemd has then heard that it is gone, and does not take the restart for one of what runs

T = TypeVar("T")


class RestartKernel(Playbook, frozen=True):
    """Keeps the stacks and the state of a process that no longer beats, aborts it and starts it again.

    Where the stacks cannot be read it goes on without: the evidence says so.
    """

    heals: ClassVar = ("heartbeat_lost",)
    tier: ClassVar = Tier.AUTOMATIC

    # How long it may take to write its own core dump after SIGABRT, before what is left is killed.
    abort_wait_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 2.0

    async def plan(self, situation: Situation, host: Host) -> Plan:
        component = situation.workload()
        if component.heartbeat is None:
            raise CannotPlanError(f"{component.name} declares no heartbeat, so no beats would show that it is back")
        await insist_on_dependencies(situation, host)
        if component.unit:
            return await self._of_unit(component.unit, host)
        if component.command:
            return self._of_command(component, component.command)
        raise CannotPlanError(f"{component.name} has neither a unit nor a command, so it can only be watched")

    async def _of_unit(self, unit: str, host: Host) -> Plan:
        state = await host.units.state(unit)
        if state.load_state != "loaded":
            raise CannotPlanError(f"systemd says {unit} is {state.load_state}")
        forgotten = Step(ResetFailedUnit(unit))
        if state.active_state in DOWN:
            nothing = {"sentence": f"{unit} was {state.active_state}: there was no process to look at."}
            return Plan(forgotten, Step(StartUnit(unit), undo=StopUnit(unit)), findings=nothing)
        return Plan(
            Step(KillUnit(unit, "SIGABRT", wait_s=self.abort_wait_s)),
            Step(KillUnit(unit, wait_s=KILLED_WAIT_S)),
            forgotten,
            Step(RestartUnit(unit)),
            findings=await _evidence(unit, host),
        )

    def _of_command(self, component: Component, command: tuple[str, ...]) -> Plan:
        nothing = {"sentence": f"{component.name} is a command: only a unit's processes can be looked into."}
        stop = Step(StopCommand(component.name, grace_s=0.0))
        return Plan(stop, Step(StartCommand(component.name, command)), findings=nothing)


async def _evidence(unit: str, host: Host) -> dict[str, Any]:
    """What the unit's processes are at, MOST_BYTES of it at most; what could not be read is said in its place."""
    missing: list[str] = []
    vitals = await _asked(host, ReadVitals(unit, most=MOST_PROCESSES), missing)
    threads = await _asked(host, ReadStacks(unit), missing) or ()
    found: dict[str, Any] = {"unit": unit, "processes": msgspec.to_builtins(vitals or ()), "threads": []}
    left = MOST_BYTES - len(msgspec.json.encode(found)) - LONGEST_SENTENCE
    for thread in threads:
        kept = _short(thread)
        left -= len(msgspec.json.encode(kept)) + 1
        if left < 0:
            missing.append(f"Of {len(threads)} threads, {len(found['threads'])} are shown.")
            break
        found["threads"].append(kept)
    return found | {"sentence": " ".join([_sentence(threads), *missing])}


async def _asked(host: Host, question: Question[T], missing: list[str]) -> T | None:
    try:
        async with asyncio.timeout(LOOK_LIMIT_S):
            return await host.ask(question)
    except (ProbeError, TimeoutError) as error:
        missing.append(f"Not read: {str(error) or question.describe()}."[:300])
        return None


def _short(thread: ThreadStack) -> dict[str, Any]:
    return {key: value for key, value in msgspec.to_builtins(thread).items() if value not in ("", ())}


def _sentence(threads: tuple[ThreadStack, ...]) -> str:
    if not threads:
        return "It was restarted without a look at where it hung."
    first = threads[0]
    waits = f", waiting in {first.waits_in}" if first.waits_in else ""
    return f"Its first thread ({first.name}, {first.tid}) was in status {first.status}{waits}."
