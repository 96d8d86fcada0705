"""Layer 3: would packets to those who matter go the way they went when all was good?"""

from typing import ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.host.known_good import astray
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe


class L3Routes(Probe, frozen=True, kw_only=True):
    """Failing while the kernel would send packets to a name server, the aggregator or a remote dependency another way
    than known good, to this host itself, or nowhere.

    Asked as the kernel would decide, so more special routes, other tables and policy rules count. Not wrong is
    what went by the default route and still does, wherever that leads now; another gateway on the same interface, told
    by DHCP or a router's advertisement; an address that this host has taken over on the interface that led to it.
    """

    layer: ClassVar = Layer.NETWORK
    issue_types: ClassVar = ("route_wrong",)
    reads_kernel_state: ClassVar = True

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls()

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return ("l1_carrier", "l3_addresses", "l3_default_route")

    async def look(self, host: Host) -> Reading:
        if not (good := host.known.good.routes):
            raise ProbeError("no way to anybody is known to be good yet")
        async for address, way, wanted in astray(host.netlink, host.known):
            evidence = {"to": address, "way": str(way or "none"), "known_good": str(wanted)}
            return Reading(ok=False, evidence=evidence)
        return Reading(ok=True, evidence={"ways": len(good)})
