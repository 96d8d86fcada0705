"""Is it allowed now? Asked anew for each request, in a thread of its own."""

import asyncio
import logging
from collections.abc import Callable

from guardian_agent.executor.arming import MOST_S
from guardian_agent.executor.inverse import why_no_inverse
from guardian_agent.executor.lines import traceback_of
from guardian_agent.executor.policy import Policies, Policy, PolicyError, Purpose
from guardian_agent.executor.rules import refusal, refusal_to_tell
from guardian_agent.executor.threads import Work, ended, work_of
from guardian_agent.host.operations import RootOperation
from guardian_agent.host.questions import RootQuestion

LIMIT_S = 30.0  # for the files, for systemd's names of units, and for a rule that looks at the machine
UNDO_LIMIT_S = 5.0

log = logging.getLogger(__name__)


class Judge:
    """Root's configuration and the rules. What cannot be told is refused, but for taking back."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    async def halted(self) -> str:
        """Why nothing would be done now; empty when something may."""
        return await self._refusal(lambda policy: policy.halted())

    async def refusal(self, operation: RootOperation, undo: RootOperation | None) -> str:
        """Why an operation is refused, or what is to be armed with it; empty when neither is."""

        def rule(policy: Policy) -> str:
            if why_not := refusal(operation, policy):
                return why_not
            if undo is not None and (why_not := why_no_inverse(operation, undo) or refusal(undo, policy)):
                return f"taking it back: {why_not}"
            return ""

        return await self._refusal(rule)

    async def refusal_to_tell(self, question: RootQuestion) -> str:
        """Why a question is not answered; empty when it is."""
        return await self._refusal(lambda policy: refusal_to_tell(question, policy.asked_to(Purpose.LOOK)))

    async def refusal_to_take_back(self, undo: RootOperation) -> str:
        """Why what was armed is not taken back now; empty when it is.

        The hold file and the mode `observe` are no reason, nor is a configuration that cannot be read: it was allowed
        some moments ago, and a host that is cut off is worse. A configuration that forbids it is one.
        """
        task = await ended(self._policies.current(), UNDO_LIMIT_S)
        if task is None or task.exception() is not None:
            log.error("what is armed is taken back as it was allowed before: what is allowed now cannot be told")
            return ""
        policy = task.result().asked_to(Purpose.TAKE_BACK)
        return await self._ruled(lambda: refusal(undo, policy), UNDO_LIMIT_S)

    async def most_armed_s(self) -> float:
        """How long what is armed may stay so."""
        task = await ended(self._policies.current(), LIMIT_S)
        return MOST_S if task is None or task.exception() else task.result().most_armed_s

    async def _refusal(self, rule: Callable[[Policy], str]) -> str:
        task = await ended(self._policies.current(), LIMIT_S)
        if task is None:
            return f"what is allowed could not be read within {LIMIT_S:g} s"
        if isinstance(error := task.exception(), PolicyError):
            return str(error)
        if error is not None:
            log.error("the configuration could not be read: %s", traceback_of(error))
            return f"what is allowed cannot be told: {type(error).__name__}"
        policy = task.result()
        return await self._ruled(lambda: rule(policy), LIMIT_S)

    async def _ruled(self, rule: Callable[[], str], within_s: float) -> str:
        with work_of(Work.POLICY):
            task = await ended(asyncio.to_thread(rule), within_s)
        if task is None:
            return f"whether it is allowed could not be told within {within_s:g} s"
        if isinstance(error := task.exception(), PolicyError):
            return str(error)
        if error is not None:
            log.error("a rule failed, and so nothing is allowed: %s", traceback_of(error))
            return f"the rule failed: {type(error).__name__}"
        return task.result()
