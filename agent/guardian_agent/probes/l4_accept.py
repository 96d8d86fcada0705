"""Layer 4: are connections taken from the component's queue?"""

import asyncio
from typing import Any, ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, Listener
from guardian_agent.model import Component, Endpoint, Layer, Reading, Schedule
from guardian_agent.probes.base import RESOURCES, Probe

EVERY_S = 0.05
STOPPED_AFTER_S = 0.15  # without movement, when no process of the component may run at all
HUNG_AFTER_S = 1.0


class L4Accept(Probe, frozen=True, kw_only=True):
    """Failing while connections wait and none is taken: for 0.15 s where every process of the component is stopped
    (SIGSTOP), else for a second. Unknown while a unit is starting.

    The length of the queue alone does not tell: a busy server's is always full, and what a client has given up stays
    in it until it is taken. So the connections themselves are compared: one that was taken meanwhile is movement.
    """

    layer: ClassVar = Layer.TRANSPORT
    issue_types: ClassVar = ("service_hung",)
    schedule: ClassVar = Schedule(timeout_s=2.0, fall=1)  # a look is long; a queue that waits brings it forward
    reads_kernel_state: ClassVar = True

    endpoint: Endpoint
    component: str
    unit: str | None = None

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        if component.listen is None:
            return None
        return cls(endpoint=component.listen, component=component.name, unit=component.unit)

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return RESOURCES

    async def look(self, host: Host) -> Reading:
        listener = await host.sockets.listener(self.endpoint)
        if listener is None:
            return Reading(ok=True, evidence={"endpoint": str(self.endpoint), "backlog": 0, "listens": False})
        if listener.backlog == 0:
            return Reading(ok=True, evidence=self._evidence(listener))
        began_s = asyncio.get_running_loop().time()
        first = await host.sockets.queue(self.endpoint.port)
        stopped: bool | None = None
        while True:
            await asyncio.sleep(EVERY_S)
            waited_s = asyncio.get_running_loop().time() - began_s
            now = await host.sockets.listener(self.endpoint)
            if now is None or now.inode != listener.inode or now.backlog < listener.backlog:
                return Reading(ok=True, evidence=self._evidence(now or listener) | {"moves": True})
            listener = now
            if stopped is None and waited_s >= STOPPED_AFTER_S:
                stopped = await self._is_stopped(host)
            if stopped or waited_s >= HUNG_AFTER_S:
                break
        after = await host.sockets.queue(self.endpoint.port)
        evidence = self._evidence(listener) | {"unmoved_s": round(waited_s, 2), "all_stopped": bool(stopped)}
        if after.taken - first.taken:
            return Reading(ok=True, evidence=evidence | {"taken_meanwhile": len(after.taken - first.taken)})
        return Reading(ok=False, evidence=evidence)

    async def _is_stopped(self, host: Host) -> bool:
        if self.unit is None:
            command = await host.processes.command(self.component)
            return command is not None and command.status == "T"
        state = await host.units.state(self.unit)
        if state.active_state == "activating":  # systemd's own socket takes connections for it before it is up
            raise ProbeError(f"{self.unit} is starting ({state.sub_state})")
        processes = await host.units.processes(state.control_group)
        return bool(processes) and all(process.status == "T" for process in processes)

    def _evidence(self, listener: Listener) -> dict[str, Any]:
        return {
            "endpoint": str(self.endpoint),
            "backlog": listener.backlog,
            "backlog_limit": listener.backlog_limit,
        }
