"""May this playbook act for this component?"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec

from guardian_agent.config import PlaybookSettings
from guardian_agent.errors import ProbeError
from guardian_agent.healing.case import Case
from guardian_agent.healing.ladders import Progress
from guardian_agent.host import Host
from guardian_agent.host.names import own_names
from guardian_agent.model import Execution, Tier
from guardian_agent.playbooks import Playbook

log = logging.getLogger(__name__)

COOLDOWN_S = 10.0
ATTEMPTS_PER_DAY = 20
SYSTEMD_POLL_S = 0.05
FOREIGN_START = ("auto-restart", "auto-restart-queued")


class Disabled(msgspec.Struct, frozen=True, kw_only=True):
    """Why a playbook is not run on this host any more: it could not undo its own work. A reload lifts it."""

    memory_kind: ClassVar = "disabled"
    reason: str
    target: str = ""  # for which it could not


class Gate:
    """What the operator, earlier attempts and systemd have to say before a playbook acts."""

    def __init__(
        self,
        host: Host,
        settings: Mapping[str, PlaybookSettings],
        protected: Sequence[str],
        remember: Callable[[str, Disabled], None],
    ) -> None:
        self._host = host
        self._settings = settings
        self._protected = frozenset(protected)
        self._remember = remember
        self._own_names: dict[str, str] = {}  # systemd's, of the protected units and the components'
        self._nameless: set[str] = set()  # whose own names could not be told yet
        self._disabled: dict[str, Disabled] = {}

    def restore(self, disabled: dict[str, Disabled]) -> None:
        self._disabled = dict(disabled)

    async def learn_names(self, units: Iterable[str] = ()) -> None:
        """Asks for systemd's own names of these units, and of the protected ones; again later, if nobody answers."""
        self._nameless |= set(units)
        if not self._nameless:
            return
        try:
            self._own_names |= await own_names(self._host.units, self._nameless | self._protected)
        except ProbeError as error:
            log.warning("which units are protected under another name is not known: %s", error)
            return
        self._nameless.clear()
        self._protected |= {self._own_names[unit] for unit in self._protected}

    @property
    def protected(self) -> frozenset[str]:
        """The units that are never touched, as configured and by systemd's own names."""
        return self._protected

    @property
    def disabled(self) -> dict[str, str]:
        """The playbooks that are disabled on this host, each with the reason."""
        return {key: _told(disabled) for key, disabled in self._disabled.items()}

    def disable(self, execution: Execution) -> str:
        """A playbook that could not undo its own work is not run again on this host; answers what to tell a human.

        Until a reload: the agent's own restarts lift nothing, since no human has looked meanwhile.
        """
        key = execution.playbook
        self._disabled[key] = Disabled(reason=execution.reason, target=execution.target)
        self._remember(key, self._disabled[key])
        return (
            f"{key}: {execution.reason}; it is disabled on this host until a reload (systemctl reload guardian-agent)"
        )

    def cooldown_s(self, playbook_id: str) -> float:
        configured = self._of(playbook_id).cooldown_s
        return COOLDOWN_S if configured is None else configured

    def tier(self, playbook: type[Playbook] | Playbook) -> Tier:
        """The tier that holds on this host: the operator's, or else the playbook's own."""
        configured = self._of(playbook.playbook_id()).tier
        return playbook.tier if configured is None else configured

    def enabled(self, playbook: Playbook) -> bool:
        """Whether the operator lets it run at all."""
        return self._of(playbook.playbook_id()).enabled is not False

    def refusal(self, case: Case, playbook: Playbook, progress: Progress) -> str:
        """Why this playbook may not act for this case at all; empty when it may."""
        playbook_id = playbook.playbook_id()
        settings = self._of(playbook_id)
        tier = self.tier(playbook)
        attempts_per_day = settings.attempts_per_day or ATTEMPTS_PER_DAY
        if not self.enabled(playbook):
            return f"playbooks.{playbook_id}.enabled is false"
        if disabled := self._disabled.get(playbook_id):
            lifted = "a reload (systemctl reload guardian-agent) lifts this"
            return f"{playbook_id} is disabled on this host: {_told(disabled)}; {lifted}"
        if case.component and (protected := self._why_protected(case.component.unit)):
            return protected
        if tier == Tier.OBSERVES:
            return f"{playbook_id} is of tier 0: it only observes"
        if tier > Tier.AUTOMATIC:
            return f"{playbook_id} is of tier {int(tier)} and needs an approval, which nobody can give yet"
        if (attempts := progress.attempts_of(playbook_id)) >= attempts_per_day:
            return f"{attempts} attempts of {playbook_id} within a day, and attempts_per_day is {attempts_per_day}"
        return ""

    async def systemd_first(self, case: Case) -> bool:
        """Waits while systemd itself is about to mend the unit, up to the component's `start_grace_s`; whether it has
        come to rest by then."""
        try:
            async with asyncio.timeout(case.component.start_grace_s if case.component else 0.0):
                while await self.systemd_at_work(case):
                    if await case.wait_closed(SYSTEMD_POLL_S):
                        return True
        except TimeoutError:
            return False
        return True

    async def systemd_at_work(self, case: Case) -> bool:
        """Whether a job on the component's unit is pending, or an automatic restart of it, or one was done a moment ago
        of which nobody has told us yet."""
        if case.component is None or case.component.unit is None:
            return False
        try:
            state = await self._host.units.state(case.component.unit)
        except ProbeError:
            return False
        if state.active_state == "active":
            case.started(state.active_since_s)
        return state.job_id != 0 or state.sub_state in FOREIGN_START or case.coming_up()

    def _why_protected(self, unit: str | None) -> str:
        if unit is None:
            return ""
        own = self._own_names.get(unit, unit)
        if {unit, own} & self._protected:
            return f"{unit} is protected" if own == unit else f"{unit} is {own}, which is protected"
        return ""

    def _of(self, playbook_id: str) -> PlaybookSettings:
        return self._settings.get(playbook_id, PlaybookSettings())


def _told(disabled: Disabled) -> str:
    return f"for {disabled.target}: {disabled.reason}" if disabled.target else disabled.reason
