"""What becomes of an execution that the agent did not live to finish?"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from guardian_agent.healing.engine import Case, Engine
from guardian_agent.healing.pager import Pager
from guardian_agent.model import Execution, Mode, Outcome
from guardian_agent.playbooks import Playbook

log = logging.getLogger(__name__)

PATIENCE_S = 300.0  # how long an unknown state is waited for before a human is called
RETRY_S = 1.0


class Recovery:
    """Looks at the machine first: good keeps what was done, bad takes it back, unknown waits. Each is `interrupted`."""

    def __init__(self, engine: Engine, playbooks: Mapping[str, Playbook], pager: Pager) -> None:
        self._engine = engine
        self._playbooks = playbooks
        self._pager = pager
        self._unfinished: dict[str, list[Execution]] = {}  # by incident, the newest first

    def restore(self, executions: Sequence[Execution], cases: Sequence[Case]) -> list[Execution]:
        """Takes up what the journal holds; answers those whose incident is over, which only need their end."""
        open_cases = {case.incident.incident_id: case for case in cases}
        for execution in executions:
            if case := open_cases.get(execution.incident_id):
                self._unfinished.setdefault(execution.incident_id, []).insert(0, execution)
                case.acting = True
                case.last_tried = execution.playbook
                case.tries += 1
        return [execution for execution in executions if execution.incident_id not in open_cases]

    async def close_orphan(self, execution: Execution) -> None:
        """Ends an execution whose incident was over already."""
        await self._engine.keep(execution)
        await self._engine.finish(execution, Outcome.INTERRUPTED, "the agent stopped, and the incident was over")

    async def settle(self, case: Case, stuck: Callable[[Execution], None]) -> list[Execution]:
        """Ends what the case has of unfinished executions, the newest first, and answers them; `stuck` hears of those
        that could not be undone."""
        executions = self._unfinished.pop(case.incident.incident_id, [])
        for execution in executions:
            await self._settle(case, execution, stuck)
        if executions:
            case.acted()
        return executions

    async def _settle(self, case: Case, execution: Execution, stuck: Callable[[Execution], None]) -> None:
        playbook = self._playbooks.get(execution.playbook)
        if playbook is None:
            kept = "its playbook is gone: nothing was taken back"
        elif self._engine.mode == Mode.OBSERVE:
            kept = "mode is observe: nothing was taken back"
        else:
            kept = await self._kept(case)
        if playbook is None or kept:
            await self._engine.keep(execution)
            await self._engine.finish(execution, Outcome.INTERRUPTED, f"the agent stopped in between; {kept}")
        else:
            await self._engine.recover(case, playbook, execution, stuck)

    async def _kept(self, case: Case) -> str:
        """Why what was done is kept; empty when the fault is still there. Waits while neither is known, and while
        nothing may be changed."""
        owner = case.incident.owner_probe
        deadline_s = asyncio.get_running_loop().time() + PATIENCE_S
        good = 0
        while good < case.rise(owner):
            if held := self._engine.held(case):
                return f"{held}: all was left as it is"
            look = await case.look(owner)
            good = good + 1 if look.ok else 0
            if look.ok:
                continue
            if look.ok is False:
                if not (halted := self._engine.halted()):
                    return ""
                self._pager.page(case.incident, "denied", halted)
            elif asyncio.get_running_loop().time() >= deadline_s:
                self._pager.page(case.incident, "inconclusive", f"{owner} cannot tell: {look.unknown}")
            await asyncio.sleep(RETRY_S)
        return "all is good: what was done is kept"
