"""Host: is the time of day right?"""

from typing import Annotated, ClassVar, Self

import msgspec

from guardian_agent.host import Host
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe

LEAPT_S = 2.0
FORGIVEN_S = 600.0  # after that a leap is taken as the new time


class HostClock(Probe, frozen=True, kw_only=True):
    """Failing while the kernel has a large correction still to make, or where nobody disciplines the clock and somebody
    set it to another time a moment ago.

    Where NTP is at work a leap is its correction (after a start, or a pause of the virtual machine). A clock that was
    always wrong looks right from here: the aggregator compares it with its own.
    """

    layer: ClassVar = Layer.HOST
    issue_types: ClassVar = ("clock_offset",)
    schedule: ClassVar = Schedule(
        interval_s=10.0, fall=3, confirm_interval_s=5.0
    )  # NTP says a little later that it did it
    options: ClassVar = ("most_offset_s",)

    most_offset_s: Annotated[float, msgspec.Meta(gt=0, le=0.5)] = 0.45  # the kernel keeps no more than 0.5

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls()

    async def look(self, host: Host) -> Reading:
        leapt_s = host.drift.leapt_s(host.clock.now(), FORGIVEN_S)
        offset_s = await host.kernel.clock_offset_s()
        evidence = {"set_by_s": round(leapt_s, 1), "disciplined": offset_s is not None, "offset_s": offset_s}
        if offset_s is None:
            return Reading(ok=abs(leapt_s) <= LEAPT_S, evidence=evidence)
        return Reading(ok=abs(offset_s) < self.most_offset_s, evidence=evidence)
