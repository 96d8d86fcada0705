"""Host: does all work stand still for its disks?"""

from typing import Annotated, ClassVar, Self

import msgspec

from guardian_agent.host import Host
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe


class HostIo(Probe, frozen=True, kw_only=True):
    """Failing while nothing at all can go on most of the time because it waits for disks, and that for a minute.

    The minute counts because one single copy or backup on an idle host is "all work" too.
    """

    layer: ClassVar = Layer.HOST
    issue_types: ClassVar = ("io_pressure",)
    reads_kernel_state: ClassVar = True
    schedule: ClassVar = Schedule(
        interval_s=5.0, fall=3, rise=3, confirm_interval_s=2.0
    )  # the kernel averages each 2 s
    options: ClassVar = ("most_stalled_percent",)

    most_stalled_percent: Annotated[float, msgspec.Meta(gt=0, le=100)] = (
        60.0  # of the last 10 s, and of the last minute
    )

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls()

    async def look(self, host: Host) -> Reading:
        pressure = await host.kernel.pressure("io")
        evidence = {
            "waited_percent": pressure.some_avg10,
            "stalled_percent": pressure.full_avg10,
            "stalled_percent_of_minute": pressure.full_avg60,
        }
        return Reading(ok=min(pressure.full_avg10, pressure.full_avg60) < self.most_stalled_percent, evidence=evidence)
