"""How is a human called?"""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from guardian_agent.errors import OperationError
from guardian_agent.host import Host
from guardian_agent.host.operations import RunProgram
from guardian_agent.model import Execution, Fact, Incident, Page, uuid7
from guardian_agent.plain import plain_text

log = logging.getLogger(__name__)


class Pager:
    """Records that somebody must look, and runs the operator's own paging command where there is one."""

    def __init__(
        self,
        host: Host,
        command: tuple[str, ...] | None,
        record: Callable[[Fact], object],
        spawn: Callable[[str, Coroutine[Any, Any, object]], object],
    ) -> None:
        """`spawn(name, coroutine)` owns the command's run, so that nothing waits for it."""
        self._host = host
        self._command = command
        self._record = record
        self._spawn = spawn
        self._sent: set[tuple[str, str, str]] = set()

    def page(self, about: Incident | Execution, reason: str, text: str) -> None:
        """Pages once for each incident (or that of the execution), what it is, and reason (one word)."""
        key = (about.incident_id, about.issue_type, reason)
        if key in self._sent:
            return
        self._sent.add(key)
        text = plain_text(text)
        page = Page(page_id=uuid7(), incident_id=about.incident_id, target=about.target, reason=reason, text=text)
        log.error("%s: a human is needed: %s: %s", page.target, reason, text)
        self._record(page)
        if self._command:
            self._spawn(f"page {page.page_id}", self._run_command(self._command, page))

    def forget(self, incident: Incident) -> None:
        """The incident is over: its pages need not be remembered."""
        self._sent = {sent for sent in self._sent if sent[0] != incident.incident_id}

    async def _run_command(self, command: tuple[str, ...], page: Page) -> None:
        environment = {
            "GUARDIAN_PAGE": page.page_id,
            "GUARDIAN_INCIDENT": page.incident_id,
            "GUARDIAN_TARGET": page.target,
            "GUARDIAN_REASON": page.reason,
            "GUARDIAN_TEXT": page.text,
        }
        environment = {name: text.replace("\0", "\N{REPLACEMENT CHARACTER}") for name, text in environment.items()}
        try:
            await self._host.do(RunProgram(command, timeout_s=30.0, environment=environment))
        except OperationError as error:
            log.error("page_command failed: %s", error)
