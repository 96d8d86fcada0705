"""How are the operations of steps carried out and taken back, and what went wrong with one?"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import msgspec

from guardian_agent.errors import OperationError, RefusedOperationError, StateError, UnknownResultError
from guardian_agent.host import Host
from guardian_agent.host.operations import (
    Operation,
    PutBackSecret,
    ReloadUnit,
    RestartUnit,
    StartForeignUnit,
    StartUnit,
    from_json,
    to_json,
)
from guardian_agent.model import StepRecord, StepState
from guardian_agent.plain import plain_text

log = logging.getLogger(__name__)

UNDO_PATIENCE_S = 60.0  # how long it is tried to take a step back while systemd cannot be reached
UNDO_RETRY_S = 1.0


class Journal(Protocol):
    """Makes durable how an execution stands."""

    async def durably(self, step: StepRecord) -> None:
        """Returns when the step's present state would survive a loss of power."""

    def soon(self, step: StepRecord) -> None:
        """The same, without waiting for it."""


class StepFailedError(OperationError):
    """A step was refused or did not work; everything done so far is to be undone."""


class StuckError(OperationError):
    """Undoing failed: the machine is neither as it was nor as it should be."""


class PostponedError(OperationError):
    """Undoing has to wait, since nothing at all may be changed now; the text says why."""


class Failure(NamedTuple):
    """What went wrong with an operation."""

    text: str
    nothing_done: bool = False  # it was refused before it began
    unreachable: bool = False  # whoever does it: it may be tried again


class Restraint(NamedTuple):
    """What the operator has said meanwhile, asked before each undo."""

    halted: Callable[[], str] = lambda: ""  # why nothing may be changed, not even back; empty when it may
    stopped: Callable[[str], str] = lambda _: ""  # why this unit must not be started; empty when it may be


FREE = Restraint()  # nobody has said anything


async def undo_steps(
    steps: list[StepRecord], host: Host, journal: Journal, time_limit_s: float, restraint: Restraint
) -> list[str]:
    """Takes back, newest first, every step that was applied, half applied or failed, or not taken back before.

    A unit that somebody stopped on purpose meanwhile is not started by it: that undo is left out, and the others are
    made. Answers what was left out, and why; it stands with the step, too.

    Raises:
        StuckError: taking one back did not work; the ones before it are left as they are. Where nobody could be
            reached to do it, it was tried for a minute.
        PostponedError: nothing may be changed any more; what is still to be undone can be later.
    """
    left_out = []
    for step in reversed(steps):
        if step.undo is None or step.state in (StepState.PLANNED, StepState.UNDONE):
            continue
        failure, why = await _undo_step(step, step.undo, host, time_limit_s, restraint)
        if why:
            left_out.append(f"{step.undo_describe}: {why}")
            if (said := f"left out: {left_out[-1]}") not in step.error:  # by an earlier life of the agent
                step.error = "; ".join(filter(None, (step.error, said)))
        if failure:
            step.error = failure.text
        try:
            await journal.durably(step)
        except StateError as error:
            log.error("%s: the journal failed: %s", step.undo_describe, error)
        if failure:
            raise StuckError(failure.text)
    return left_out


async def _undo_step(
    step: StepRecord, undo: dict[str, Any], host: Host, time_limit_s: float, restraint: Restraint
) -> tuple[Failure | None, str]:
    """What went wrong, and why something was left out. Raises PostponedError."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + UNDO_PATIENCE_S
    while True:
        if halted := restraint.halted():
            raise PostponedError(halted)
        allowed, why = _without_start(undo, restraint)
        failure = await carry_out(host, allowed, step.undo_describe, time_limit_s) if allowed else None
        if failure and (halted := restraint.halted()):  # which is why the executor refused it
            raise PostponedError(halted)
        if failure and failure.unreachable and loop.time() < deadline_s:
            await asyncio.sleep(UNDO_RETRY_S)
        elif not failure or _without_start(undo, restraint) == (allowed, why):
            break  # else it was stopped while we started it
    if allowed:
        step.state = StepState.UNDO_FAILED if failure else StepState.UNDONE
    return failure, why


def started_by(operation: dict[str, Any]) -> str:
    """The unit that an operation starts where it is down; empty: none, or none that this version knows of."""
    match _known(operation):
        case StartUnit(unit=unit) | RestartUnit(unit=unit) | StartForeignUnit(unit=unit) | ReloadUnit(unit=unit):
            return unit
        case PutBackSecret(reload=unit):
            return unit
    return ""


def _without_start(undo: dict[str, Any], restraint: Restraint) -> tuple[dict[str, Any] | None, str]:
    """What of an undo may be done, and why not all of it."""
    unit = started_by(undo)
    why = restraint.stopped(unit) if unit else ""
    if not why:
        return undo, ""
    operation = _known(undo)
    without = PutBackSecret(operation.path) if isinstance(operation, PutBackSecret) else None
    return to_json(without) if without else None, why


def _known(operation: dict[str, Any]) -> Operation | None:
    try:
        return from_json(operation)
    except msgspec.ValidationError:  # another version's: carrying it out will say so
        return None


async def carry_out(
    host: Host, operation: dict[str, Any], shown: str, time_limit_s: float, undo: dict[str, Any] | None = None
) -> Failure | None:
    """Carries out one operation; answers what went wrong with it, if anything. Whatever is raised is an answer."""
    try:
        async with asyncio.timeout(time_limit_s):
            await host.do(from_json(operation), from_json(undo) if undo else None)
    except TimeoutError:
        return Failure(f"{shown}: not done within {time_limit_s:g} s")
    except OperationError as error:
        said = plain_text(str(error))
        text = said if said.startswith(shown) else f"{shown}: {said}"
        refused, unreachable = isinstance(error, RefusedOperationError), isinstance(error, UnknownResultError)
        return Failure(text, nothing_done=refused, unreachable=unreachable)
    except Exception as error:
        log.exception("%s raised what it should not", shown)
        return Failure(f"{shown}: {type(error).__name__}: {plain_text(str(error))}")
    return None
