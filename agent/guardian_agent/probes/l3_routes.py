"""Layer 3: would packets to those who matter go the way they went when all was good?"""

from typing import ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, Route
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe


class L3Routes(Probe, frozen=True, kw_only=True):
    """Failing while the kernel would send packets to a name server, the aggregator or a remote dependency another way
    than known good, to this host itself, or nowhere.

    Asked as the kernel would decide, so more special routes, other tables and policy rules count.
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
        for address, wanted in good.items():
            if (way := await host.netlink.route_to(address)) != wanted:
                evidence = {"to": address, "way": _shown(way), "known_good": _shown(wanted)}
                return Reading(ok=False, evidence=evidence)
        return Reading(ok=True, evidence={"ways": len(good)})


def _shown(route: Route | None) -> str:
    if route is None:
        return "none"
    way = f"via {route.gateway} " if route.gateway else ""
    return route.discards or f"{way}dev {route.interface}"
