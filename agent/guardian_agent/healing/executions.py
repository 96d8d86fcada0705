"""How is an execution begun, written down and ended?"""

import logging
from collections.abc import Awaitable
from typing import Protocol

from guardian_agent.errors import StateError
from guardian_agent.host import Host
from guardian_agent.model import Execution, Fact, Incident, Outcome, StepRecord, uuid7
from guardian_agent.plain import plain_text
from guardian_agent.playbooks import Playbook

log = logging.getLogger(__name__)

NOT_RECORDED = "not_recorded"  # why there is no evidence, in its place
AS_WANTED = (Outcome.COMPLETED, Outcome.DRY_RUN, Outcome.HEALED)


class Submit(Protocol):
    """Queues facts for the state's database, in order; the future resolves when they are durable."""

    def __call__(self, *facts: Fact) -> Awaitable[None]: ...


class ExecutionJournal:
    """Makes an execution durable as its steps go on."""

    def __init__(self, submit: Submit, execution: Execution) -> None:
        self._submit = submit
        self._execution = execution

    async def durably(self, step: StepRecord) -> None:
        await self._submit(self._execution)

    def soon(self, step: StepRecord) -> None:
        self._submit(self._execution)


class Executions:
    """The records of executions."""

    def __init__(self, host: Host, submit: Submit) -> None:
        self._host = host
        self._submit = submit

    def new(self, playbook: Playbook, incident: Incident, rung: int = 0) -> Execution:
        now = self._host.clock.now()
        return Execution(
            execution_id=uuid7(now.wall_ns),
            incident_id=incident.incident_id,
            playbook=playbook.playbook_id(),
            target=incident.target,
            issue_type=incident.issue_type,
            started_at=now,
            rung=rung,
        )

    def journal(self, execution: Execution) -> ExecutionJournal:
        return ExecutionJournal(self._submit, execution)

    async def finish(self, execution: Execution, outcome: Outcome, reason: str) -> Execution:
        """Ends an execution: durably, or with a line in the log where nothing can be stored."""
        execution.outcome, execution.finished_at = outcome, self._host.clock.now()
        execution.reason = plain_text(reason)
        level = logging.INFO if outcome in AS_WANTED else logging.WARNING
        log.log(level, "%s: %s: %s (%s)", execution.target, execution.playbook, outcome, execution.reason)
        await self._store(execution)
        return execution

    async def leave_open(self, execution: Execution, reason: str) -> Execution:
        """Ends nothing: what is to become of it is decided later, and after a restart of the agent, too."""
        execution.reason = plain_text(reason)
        log.warning("%s: %s: not ended yet: %s", execution.target, execution.playbook, execution.reason)
        await self._store(execution)
        return execution

    async def _store(self, execution: Execution) -> None:
        try:
            await self._submit(execution)
        except StateError as error:
            log.error("%s: how it ended could not be stored: %s", execution.playbook, error)
        except (TypeError, ValueError) as error:  # it cannot be written as it is, and has to end all the same
            log.exception("%s: its evidence cannot be written", execution.playbook)
            if NOT_RECORDED not in execution.evidence:
                execution.evidence = {NOT_RECORDED: plain_text(str(error))}
                await self._store(execution)
