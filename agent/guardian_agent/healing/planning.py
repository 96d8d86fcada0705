"""What would a playbook do, and can that be written down?"""

import asyncio
import logging
from typing import Any, NamedTuple

import msgspec

from guardian_agent.errors import CannotPlanError, ProbeError
from guardian_agent.host import Host
from guardian_agent.model import StepRecord
from guardian_agent.plain import plain, plain_text
from guardian_agent.playbooks import Playbook
from guardian_agent.playbooks.base import Plan, Situation

log = logging.getLogger(__name__)


class BrokenPlanError(CannotPlanError):
    """Planning raised what it never should: a bug of the playbook's, and it is no remedy while that is there."""


class Planned(NamedTuple):
    """A plan, and what of it is written down."""

    plan: Plan
    steps: list[StepRecord]
    findings: dict[str, Any]


async def plan_of(playbook: Playbook, situation: Situation, host: Host, within_s: float) -> Planned:
    """What a playbook would do.

    Raises:
        CannotPlanError: it is no remedy here, the machine could not be read, or it took longer than `within_s` seconds.
        BrokenPlanError: it raised anything else.
    """
    try:
        async with asyncio.timeout(within_s):
            plan = await playbook.plan(situation, host)
        return Planned(plan, _steps_of(plan, playbook), plain(plan.findings))
    except CannotPlanError as error:
        raise CannotPlanError(plain_text(str(error))) from error
    except ProbeError as error:
        raise CannotPlanError(plain_text(str(error))) from error
    except TimeoutError as error:
        raise CannotPlanError(f"planning took longer than {within_s:g} s") from error
    except Exception as error:
        log.exception("%s: planning went wrong", playbook.playbook_id())
        raise BrokenPlanError(f"planning went wrong: {type(error).__name__}: {plain_text(str(error))}") from error


def _steps_of(plan: Plan, playbook: Playbook) -> list[StepRecord]:
    """Raises CannotPlanError for a step that cannot be written down, as when it names a file by bytes that are no text:
    nothing is done that is not."""
    steps = [step.as_record() for step in plan.steps]
    for step in steps:
        try:
            msgspec.json.encode(step)
        except (TypeError, ValueError) as error:
            shown = plain_text(step.describe)
            raise CannotPlanError(f"{playbook.playbook_id()}: {shown}: it cannot be written down: {error}") from error
    return steps
