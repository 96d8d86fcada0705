"""Layer 3: is there a default route, and does it lead where it led when all was good?"""

from typing import ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, Route
from guardian_agent.host.known_good import gone_over_to
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe


class L3DefaultRoute(Probe, frozen=True, kw_only=True):
    """Failing while a family that had a default route has none (`route_missing`), or has one by another gateway or
    interface (`route_wrong`).

    A family without one is `route_wrong` too while the default route goes by another interface than any did: then the
    host has another uplink, and nothing is to be put back. Another gateway on the same interface, told by DHCP or a
    router's advertisement, is the network's own decision.
    """

    layer: ClassVar = Layer.NETWORK
    issue_types: ClassVar = ("route_missing", "route_wrong")
    reads_kernel_state: ClassVar = True

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls()

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return ("l1_carrier", "l3_addresses")

    async def look(self, host: Host) -> Reading:
        if not (good := host.known.good.default_routes):
            raise ProbeError("no default route is known to be good yet")
        present = await host.netlink.default_routes()
        for wanted in good:
            now = next((route for route in present if route.same_family(wanted)), None)
            evidence = {"known_good": str(wanted), "default_route": str(now or "none")}
            if now is None or not _is_as_good(now, wanted):
                moved = now or await gone_over_to(host.netlink, host.known)
                issue_type = "route_wrong" if moved else "route_missing"
                return Reading(ok=False, issue_type=issue_type, evidence=evidence)
        return Reading(ok=True, evidence={"default_route": ", ".join(map(str, present))})


def _is_as_good(now: Route, wanted: Route) -> bool:
    return now.same_way(wanted) or (now.assigned and now.interface == wanted.interface)
