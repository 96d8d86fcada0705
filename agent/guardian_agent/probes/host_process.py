"""Host: does the process of a component's command live?"""

from typing import ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.model import Component, Layer, Reading, Schedule
from guardian_agent.probes.base import Probe


class HostProcess(Probe, frozen=True, kw_only=True):
    """Failing once the process that Guardian started for the component is gone. A frozen one still lives."""

    layer: ClassVar = Layer.HOST
    issue_types: ClassVar = ("process_crashed",)
    reads_kernel_state: ClassVar = True

    component: str

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        return cls(component=component.name) if component.command else None

    async def look(self, host: Host) -> Reading:
        process = await host.processes.command(self.component)
        if process is None:
            raise ProbeError(f"the command of {self.component} was not started yet")
        evidence = {"pid": process.pid, "status": process.status, "exit_code": process.exit_code}
        return Reading(ok=process.alive, evidence=evidence)
