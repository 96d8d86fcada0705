"""What runs on this host once a day, and by hand: the playbooks that are about no incident."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from guardian_agent.checkup import WholeHost
from guardian_agent.errors import UsageError
from guardian_agent.healing.schedule import LastRun, Schedule, delay_of
from guardian_agent.host import Host
from guardian_agent.model import Execution
from guardian_agent.playbooks import Playbook
from guardian_agent.playbooks.base import Situation
from guardian_agent.playbooks.scheduled import Scheduled


class Observer(Protocol):
    """Runs a playbook that only observes, and records what it found."""

    async def observe(self, playbook: Playbook, situation: Situation) -> Execution: ...


class Daily:
    """Every playbook that has a time of day, each on a schedule of its own."""

    def __init__(
        self,
        host: Host,
        name: str,
        playbooks: Mapping[str, Playbook],
        observer: Observer,
        whole: Callable[[], WholeHost],
        remember: Callable[[str, LastRun], None],
    ) -> None:
        """`name` of this host, by which its delay is told from others'."""
        self._host = host
        self._name = name
        self._observer = observer
        self._whole = whole
        self._remember = remember
        scheduled = [(key, playbook) for key, playbook in playbooks.items() if isinstance(playbook, Scheduled)]
        self._schedules = {key: self._schedule(key, playbook) for key, playbook in scheduled}
        self.unattended = set(self._schedules)  # those that run by themselves

    def restore(self, last: Mapping[str, LastRun], enabled: Callable[[str], bool]) -> None:
        """Takes up when each ran before the agent's restart; what is not `enabled` runs by hand only."""
        self.unattended = {key for key in self._schedules if enabled(key)}
        for key, schedule in self._schedules.items():
            schedule.restore(last.get(key))

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            for key in sorted(self.unattended):
                group.create_task(self._schedules[key].keep(), name=key)
            await asyncio.Event().wait()

    async def run_now(self, playbook_id: str) -> Execution:
        """Runs one by hand. Raises UsageError when it has no schedule."""
        if playbook_id not in self._schedules:
            raise UsageError(f"{playbook_id} does not run on a schedule; there are: {', '.join(self._schedules)}")
        return await self._schedules[playbook_id].run_now()

    def _schedule(self, key: str, playbook: Scheduled) -> Schedule[Execution]:
        return Schedule(
            at=playbook.at,
            delay_s=delay_of(self._name, playbook.jitter_s),
            now_s=lambda: self._host.clock.now().wall_ns / 1e9,
            run=partial(self._observe, playbook),
            remember=partial(self._remember, key),
        )

    async def _observe(self, playbook: Scheduled) -> Execution:
        return await self._observer.observe(playbook, self._whole().situation())
