"""Layer 1: does the uplink lose frames to errors or for want of room?"""

from typing import Any, ClassVar, Self

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.host.known_good import uplink
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe

OVER_S = 30.0
LOSSES = ("rx_errors", "tx_errors", "tx_dropped")  # rx_dropped counts frames for nobody here, too: that is no fault


class L1Errors(Probe, frozen=True, kw_only=True):
    """Failing while more than a share of the uplink's frames were damaged or not sent, over the last 30 s, and
    enough of them that it is no accident.
    """

    layer: ClassVar = Layer.PHYSICAL
    issue_types: ClassVar = ("link_errors",)
    schedule: ClassVar = Schedule(fall=3, confirm_interval_s=2.0)
    options: ClassVar = ("interface", "most_ratio", "least_errors")

    interface: str | None = None
    most_ratio: float = 0.01
    least_errors: int = 50

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls()

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return ("l1_carrier",)

    async def look(self, host: Host) -> Reading:
        name = self.interface or await uplink(host.netlink, host.known)
        link = await host.netlink.link(name, counters=True)
        if link is None or link.counters is None:
            raise ProbeError(f"{name} tells no counters")
        grown = host.growth.of(f"errors/{name}", msgspec.structs.asdict(link.counters), host.clock.now(), OVER_S)
        evidence: dict[str, Any] = {"interface": name}
        if grown is None:
            return Reading(ok=True, evidence=evidence | {"counted_s": 0.0})
        lost = sum(grown.by[counter] for counter in LOSSES)
        frames = grown.by["rx_packets"] + grown.by["tx_packets"] + lost
        ratio = lost / frames if frames else 0.0
        evidence |= {counter: grown.by[counter] for counter in LOSSES if grown.by[counter]}
        evidence |= {"frames": frames, "lost_ratio": round(ratio, 4), "counted_s": round(grown.seconds, 1)}
        return Reading(ok=lost < self.least_errors or ratio <= self.most_ratio, evidence=evidence)
