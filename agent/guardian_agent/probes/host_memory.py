"""Host: is there memory enough?"""

from typing import Annotated, Any, ClassVar, Self

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, Memory, Pressure
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe

MIB = 1 << 20
SWAP_FULL_PERCENT = 5.0  # so little of it free, or none at all


class HostMemory(Probe, frozen=True, kw_only=True):
    """Failing while everything stands still for want of memory a good part of the time, or almost nothing is available,
    swap is full, and something waits already.

    Little memory available by itself is no fault: huge pages and ZFS's cache take it for good reasons.
    """

    layer: ClassVar = Layer.HOST
    issue_types: ClassVar = ("memory_pressure",)
    reads_kernel_state: ClassVar = True
    schedule: ClassVar = Schedule(interval_s=2.0, fall=3, confirm_interval_s=1.0)
    options: ClassVar = ("most_stalled_percent", "least_available_percent")

    most_stalled_percent: Annotated[float, msgspec.Meta(gt=0, le=100)] = 20.0  # of the last 10 s
    least_available_percent: Annotated[float, msgspec.Meta(ge=0, le=50)] = 3.0

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls()

    async def look(self, host: Host) -> Reading:
        memory = await host.kernel.memory()
        pressure = await _pressure(host)
        evidence: dict[str, Any] = {
            "available_mib": round(memory.available_bytes / MIB),
            "total_mib": round(memory.total_bytes / MIB),
            "swap_free_mib": round(memory.swap_free_bytes / MIB),
            "swap_total_mib": round(memory.swap_total_bytes / MIB),
            "waited_percent": pressure and pressure.some_avg10,
            "stalled_percent": pressure and pressure.full_avg10,
        }
        stalled = pressure is not None and pressure.full_avg10 >= self.most_stalled_percent
        waiting = pressure is None or pressure.some_avg10 > 0
        return Reading(ok=not stalled and not (waiting and self._used_up(memory)), evidence=evidence)

    def _used_up(self, memory: Memory) -> bool:
        little = memory.available_bytes * 100 < self.least_available_percent * memory.total_bytes
        return little and memory.swap_free_bytes * 100 <= SWAP_FULL_PERCENT * memory.swap_total_bytes


async def _pressure(host: Host) -> Pressure | None:
    try:
        return await host.kernel.pressure("memory")
    except ProbeError:  # a kernel without PSI: the amounts tell something too
        return None
