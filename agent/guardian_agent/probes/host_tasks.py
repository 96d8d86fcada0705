"""Host: may the component's unit start one more process or thread?"""

from typing import ClassVar, Self

from guardian_agent.host import Host
from guardian_agent.model import Component, Layer, Reading, Schedule
from guardian_agent.probes.base import Probe

REFUSED_WITHIN_S = 30.0


class HostTasks(Probe, frozen=True, kw_only=True):
    """Failing while the unit has as many processes and threads as its limit allows (TasksMax=), or more, and was
    refused another in the last 30 s: some fill their limit and need no more."""

    layer: ClassVar = Layer.HOST
    issue_types: ClassVar = ("tasks_exhausted",)
    reads_kernel_state: ClassVar = True
    schedule: ClassVar = Schedule(interval_s=5.0, fall=3, confirm_interval_s=0.5)  # a short burst may touch its limit

    unit: str

    @classmethod
    def for_component(cls, component: Component, schedule: Schedule) -> Self | None:
        return cls(unit=component.unit) if component.unit else None

    async def look(self, host: Host) -> Reading:
        group = (await host.units.state(self.unit)).control_group
        tasks = await host.kernel.tasks(group) if group else None
        if tasks is None:
            return Reading(ok=True, evidence={"unit": self.unit, "tasks": None, "reason": "it is down, or not counted"})
        refused = {"refused": tasks.refused}
        grown = host.growth.of(f"tasks/{self.unit}", refused, host.clock.now(), REFUSED_WITHIN_S)
        lately = grown.by["refused"] if grown else 0
        evidence = {
            "unit": self.unit,
            "tasks": tasks.current,
            "limit": tasks.limit,
            **refused,
            "refused_lately": lately,
        }
        full = tasks.limit is not None and tasks.current >= tasks.limit
        return Reading(ok=not (full and lately), evidence=evidence)
