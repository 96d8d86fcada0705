"""Layer 4: does the component listen on its port, and is it really the component that does?"""

from typing import Any, ClassVar, Self

from guardian_agent.host import Host, Listener
from guardian_agent.model import Component, Endpoint, Layer, Reading, Schedule
from guardian_agent.probes.base import Probe

PID_1_CGROUP = "/init.scope"  # owns the sockets of socket-activated units


class L4Listen(Probe, frozen=True, kw_only=True):
    """Failing while nobody listens (`port_not_listening`), or somebody else does (`port_conflict`).

    The owner is told by the control group that made the socket (the unit's or one below it), or for a command by the
    session of the process that holds it; where neither can be seen, the listener is taken as the component's own.
    A component that was moved is looked for where it is now.
    """

    layer: ClassVar = Layer.TRANSPORT
    issue_types: ClassVar = ("port_not_listening", "port_conflict")
    reads_kernel_state: ClassVar = True

    endpoint: Endpoint
    component: str
    unit: str | None = None

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        if component.listen is None:
            return None
        return cls(endpoint=component.listen, component=component.name, unit=component.unit)

    async def look(self, host: Host) -> Reading:
        endpoint = host.known.listens_at(self.component, self.endpoint)
        listener = await host.sockets.listener(endpoint)
        evidence: dict[str, Any] = {"endpoint": str(endpoint)}
        if listener is None:
            return Reading(ok=False, evidence=evidence)
        evidence |= {"uid": listener.uid, "backlog": listener.backlog, "backlog_limit": listener.backlog_limit}
        foreign = await (
            self._foreign_to_unit(host, listener) if self.unit else self._foreign_to_command(host, listener)
        )
        if foreign:
            return Reading(ok=False, issue_type="port_conflict", evidence=evidence | {"owner": foreign})
        return Reading(ok=True, evidence=evidence)

    async def _foreign_to_unit(self, host: Host, listener: Listener) -> str:
        if self.unit is None or listener.cgroup_id is None:
            return ""
        group = await host.units.control_group(self.unit)
        own = await host.units.cgroup_id(group) if group else None
        if listener.cgroup_id == own or listener.cgroup_id == await host.units.cgroup_id(PID_1_CGROUP):
            return ""
        if own is None and group:
            return ""
        if group and listener.cgroup_id in await host.units.cgroup_ids_below(group):
            return ""
        return f"control group {listener.cgroup_id}, not that of {self.unit}"

    async def _foreign_to_command(self, host: Host, listener: Listener) -> str:
        command = await host.processes.command(self.component)
        holders = await host.processes.holders(listener)
        if command is None or not holders or any(holder.session == command.pid for holder in holders):
            return ""
        return f"process {holders[0].pid}, not of {self.component}"
