"""Layer 4: are connections taken from the component's queue?"""

import asyncio
from typing import Any, ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, Listener, Queue
from guardian_agent.model import Component, Endpoint, Layer, Reading, Schedule
from guardian_agent.probes.base import RESOURCES, Probe

EVERY_S = 0.05
STOPPED_AFTER_S = 0.15  # without movement, when no process of the component may run at all
PATIENCE_S = 1.0  # where the component's own health check does not say how long it waits
LEAST_PATIENCE_S = 0.5
LOOK_S = 60.0  # the longest look, for a health check that waits for half of that


class L4Accept(Probe, frozen=True, kw_only=True):
    """Failing while connections wait and none is taken: for 0.15 s where every process of the component is stopped
    (SIGSTOP), else for twice as long as the health check waits for an answer: all workers may be busy for a
    while. Unknown while a unit is starting.

    The length of the queue alone does not tell: a busy server's is always full, and what a client has given up stays
    in it until it is taken. So the connections themselves are compared: one that was taken meanwhile is movement.
    """

    layer: ClassVar = Layer.TRANSPORT
    issue_types: ClassVar = ("service_hung",)
    schedule: ClassVar = Schedule(timeout_s=LOOK_S, fall=1)  # a look is long, and as good as two
    reads_kernel_state: ClassVar = True

    endpoint: Endpoint
    component: str
    unit: str | None = None
    patience_s: float = PATIENCE_S

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        if component.listen is None:
            return None
        waits_s = (component.health.timeout_s if component.health else None) or PATIENCE_S
        patience_s = max(LEAST_PATIENCE_S, waits_s)
        return cls(endpoint=component.listen, component=component.name, unit=component.unit, patience_s=patience_s)

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return RESOURCES

    async def look(self, host: Host) -> Reading:
        endpoint = host.known.listens_at(self.component, self.endpoint)
        listener = await host.sockets.listener(endpoint)
        if listener is None:
            return Reading(ok=True, evidence={"endpoint": str(endpoint), "backlog": 0, "listens": False})
        if listener.backlog == 0:
            return Reading(ok=True, evidence=_evidence(endpoint, listener))
        began_s = asyncio.get_running_loop().time()
        first: Queue | None = None  # telling them costs 5 µs a connection: a queue that moves is not asked for it
        stopped: bool | None = None
        while True:
            await asyncio.sleep(EVERY_S)
            waited_s = asyncio.get_running_loop().time() - began_s
            now = await host.sockets.listener(endpoint)
            if now is None or now.inode != listener.inode or now.backlog < listener.backlog:
                return Reading(ok=True, evidence=_evidence(endpoint, now or listener) | {"moves": True})
            listener = now
            if stopped is None and waited_s >= STOPPED_AFTER_S:
                stopped = await self._is_stopped(host)
                first = None if stopped else await host.sockets.queue(endpoint.port)
            if stopped or waited_s >= 2 * self.patience_s:
                break
        evidence = _evidence(endpoint, listener) | {"unmoved_s": round(waited_s, 2), "all_stopped": bool(stopped)}
        if first and (taken := (await host.sockets.queue(endpoint.port)).taken - first.taken):
            return Reading(ok=True, evidence=evidence | {"taken_meanwhile": len(taken)})
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


def _evidence(endpoint: Endpoint, listener: Listener) -> dict[str, Any]:
    return {
        "endpoint": str(endpoint),
        "backlog": listener.backlog,
        "backlog_limit": listener.backlog_limit,
    }
