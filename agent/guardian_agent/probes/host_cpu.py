"""Host: does work wait too long for a processor?"""

from typing import Annotated, Any, ClassVar, Self

import msgspec

from guardian_agent.host import Host, UnitLoad
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe

FEW_SHARE = 0.5  # of the limit: what a unit may wait beside one that was told to
MINUTE_SHARE = 0.75  # of the limit for ten seconds: so much of the last minute too, or it is a moment's work


class HostCpu(Probe, frozen=True, kw_only=True):
    """Failing while something that could run waits for a processor most of the time.

    Busy processors are no fault: only waiting counts, and only where it goes on: for most of the last minute, too, and
    for as long as three looks two seconds apart. Nor is it a fault that a unit waits which was told to
    (CPUWeight= below the usual 100, CPUQuota=), as long as none of the others waits for long.
    """

    layer: ClassVar = Layer.HOST
    issue_types: ClassVar = ("cpu_pressure",)
    reads_kernel_state: ClassVar = True
    schedule: ClassVar = Schedule(
        interval_s=5.0, timeout_s=4.0, fall=3, rise=3, confirm_interval_s=2.0
    )  # the kernel averages each 2 s
    options: ClassVar = ("most_waiting_percent",)

    most_waiting_percent: Annotated[float, msgspec.Meta(gt=0, le=100)] = 80.0  # of the last 10 s

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls()

    async def look(self, host: Host) -> Reading:
        pressure = await host.kernel.pressure("cpu")
        evidence: dict[str, Any] = {
            "waited_percent": pressure.some_avg10,
            "waited_percent_of_minute": pressure.some_avg60,
            "processors": await host.kernel.processors(),
        }
        most = self.most_waiting_percent
        lately, lasting = pressure.some_avg10 >= most, pressure.some_avg60 >= MINUTE_SHARE * most
        if not (lately and lasting):
            return Reading(ok=True, evidence=evidence)
        low, others = _longest(await host.kernel.unit_loads())
        evidence |= {"told_to_wait": low.unit if low else None, "waits_longest": others.unit if others else None}
        if others:
            evidence["waits_longest_percent"] = others.cpu_waited_percent
        told_to = low is not None and _waited(low) >= most and (others is None or _waited(others) < FEW_SHARE * most)
        return Reading(ok=told_to, evidence=evidence)


def _longest(loads: tuple[UnitLoad, ...]) -> tuple[UnitLoad | None, UnitLoad | None]:
    """Of those told to wait, and of the others, the one that waits longest."""
    low, others = ([load for load in loads if load.cpu_low is told] for told in (True, False))
    return max(low, key=_waited, default=None), max(others, key=_waited, default=None)


def _waited(load: UnitLoad) -> float:
    return load.cpu_waited_percent or 0.0
