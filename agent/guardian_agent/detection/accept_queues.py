"""Do connections wait at a component's port, so that it is to be looked at at once?"""

import asyncio
from collections.abc import Iterable

from guardian_agent.detection.scheduler import Scheduler
from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.model import Component

POLL_S = 0.2  # one question to the kernel a port, of some microseconds
CONFIRM_S = 0.05
AGAIN_S = 2.0  # a queue that merely stays is told of again after so long


class AcceptQueues:
    """Watches how many connections wait to be accepted. It judges nothing: a busy server has a queue, too."""

    def __init__(self, host: Host, components: Iterable[Component], scheduler: Scheduler) -> None:
        self._host = host
        self._ports = {one.name: one.listen for one in components if one.listen is not None}
        self._scheduler = scheduler
        self._told_s: dict[str, float] = {}

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await asyncio.sleep(POLL_S if self._ports else AGAIN_S)
            waiting = {name: backlog for name in self._ports if (backlog := await self._backlog(name))}
            if waiting:
                await asyncio.sleep(CONFIRM_S)
            for component, before in waiting.items():
                if await self._backlog(component) >= before:  # none was taken, or more came
                    self._tell(component)

    async def _backlog(self, component: str) -> int:
        try:
            endpoint = self._host.known.listens_at(component, self._ports[component])
            listener = await self._host.sockets.listener(endpoint)
        except ProbeError:
            return 0  # its probes say so
        return listener.backlog if listener else 0

    def _tell(self, component: str) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._told_s.get(component, -AGAIN_S) >= AGAIN_S:
            self._told_s[component] = now_s
            self._scheduler.hasten(component)
