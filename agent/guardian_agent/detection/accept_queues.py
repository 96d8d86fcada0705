"""Do connections wait at a component's port, so that it is to be looked at at once?"""

import asyncio
from collections.abc import Iterable

from guardian_agent.detection.scheduler import Scheduler
from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.model import Component

POLL_S = 0.2  # one question to the kernel a port, of some microseconds
AGAIN_S = 2.0  # a queue that merely stays is told of again after so long


class AcceptQueues:
    """Watches how many connections wait to be accepted. It judges nothing: a busy server has a queue, too."""

    def __init__(self, host: Host, components: Iterable[Component], scheduler: Scheduler) -> None:
        self._host = host
        self._ports = {one.name: one.listen for one in components if one.listen is not None}
        self._scheduler = scheduler
        self._waiting: dict[str, int] = {}  # connections when last asked
        self._told_s: dict[str, float] = {}

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await asyncio.sleep(POLL_S if self._ports else AGAIN_S)
            for component in self._ports:
                await self._ask(component)

    async def _ask(self, component: str) -> None:
        try:
            listener = await self._host.sockets.listener(self._ports[component])
        except ProbeError:
            return  # its probes say so
        before, now = self._waiting.get(component, 0), listener.backlog if listener else 0
        self._waiting[component] = now
        now_s = asyncio.get_running_loop().time()
        if now < before or now == 0 or before == 0:  # some were taken, or it may be a moment's
            return
        if now_s - self._told_s.get(component, -AGAIN_S) >= AGAIN_S:
            self._told_s[component] = now_s
            self._scheduler.hasten(component)
