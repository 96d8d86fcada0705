"""Host: does work wait too long for a processor?"""

from typing import Annotated, ClassVar, Self

import msgspec

from guardian_agent.host import Host
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe

MINUTE_SHARE = 0.75  # of the limit for ten seconds: so much of the last minute too, or it is a moment's work


class HostCpu(Probe, frozen=True, kw_only=True):
    """Failing while something that could run waits for a processor most of the time.

    Busy processors are no fault: only waiting counts, and only where it goes on: for most of the last minute, too, and
    for as long as three looks two seconds apart.
    """

    layer: ClassVar = Layer.HOST
    issue_types: ClassVar = ("cpu_pressure",)
    reads_kernel_state: ClassVar = True
    schedule: ClassVar = Schedule(
        interval_s=5.0, fall=3, rise=3, confirm_interval_s=2.0
    )  # the kernel averages each 2 s
    options: ClassVar = ("most_waiting_percent",)

    most_waiting_percent: Annotated[float, msgspec.Meta(gt=0, le=100)] = 80.0  # of the last 10 s

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls()

    async def look(self, host: Host) -> Reading:
        pressure = await host.kernel.pressure("cpu")
        evidence = {
            "waited_percent": pressure.some_avg10,
            "waited_percent_of_minute": pressure.some_avg60,
            "processors": await host.kernel.processors(),
        }
        most = self.most_waiting_percent
        lately, lasting = pressure.some_avg10 >= most, pressure.some_avg60 >= MINUTE_SHARE * most
        return Reading(ok=not (lately and lasting), evidence=evidence)
