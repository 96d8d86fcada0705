"""What runs beside a remedy, and only looks?"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from guardian_agent.healing.case import Case
from guardian_agent.healing.engine import Engine
from guardian_agent.healing.gate import Gate
from guardian_agent.model import Tier
from guardian_agent.playbooks import Playbook
from guardian_agent.playbooks.base import Beside, Situation


class Observing:
    """Starts the playbooks of tier 0 beside an incident, once for each; no remedy waits for them."""

    def __init__(
        self,
        engine: Engine,
        gate: Gate,
        playbooks: Mapping[str, Playbook],
        situation: Callable[[Case], Situation],
        spawn: Callable[[str, Coroutine[Any, Any, object]], object],
    ) -> None:
        self._engine = engine
        self._gate = gate
        self._playbooks = playbooks
        self._situation = situation
        self._spawn = spawn
        self._begun: set[tuple[str, Beside]] = set()  # by incident
        self._one_bundle_at_a_time = asyncio.Lock()

    def begin(self, case: Case, beside: Beside) -> None:
        """Starts what runs beside such an incident."""
        key = (case.incident.incident_id, beside)
        if case.closed.is_set() or key in self._begun:
            return
        self._begun.add(key)
        situation = self._situation(case)
        for playbook in self._playbooks.values():
            if playbook.tier == Tier.OBSERVES and playbook.beside == beside and self._gate.enabled(playbook):
                observe = self._observe_in_turn if beside == Beside.UNHEALED else self._engine.observe
                self._spawn(f"observe {playbook.playbook_id()}", observe(playbook, situation))

    def forget(self, case: Case) -> None:
        """The incident is over."""
        self._begun -= {(case.incident.incident_id, beside) for beside in Beside}

    async def _observe_in_turn(self, playbook: Playbook, situation: Situation) -> None:
        """Where fifty incidents are opened at once, one after the other looks at the whole host, and for those that
        are over by then, or were explained by another, nobody does."""
        async with self._one_bundle_at_a_time:
            incident = situation.incident
            if incident.closed_at is None and not incident.explained_by:
                await self._engine.observe(playbook, situation)
