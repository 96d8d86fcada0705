"""Layer 2: is it the gateway, and nobody else, that answers for the gateway's address?"""

from functools import partial
from typing import Any, ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, NoNeighboursError, Route
from guardian_agent.host.reaching import worst_of_gateways
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe

GLBP = "00:07:b4:0"  # then group and forwarder: each of Cisco's load-balancing gateways answers with one of its own
GLBP_GROUP = 14  # characters; VRRP (RFC 5798, 7.3), HSRP and CARP keep one MAC, whoever answers


class L2GatewayMac(Probe, frozen=True, kw_only=True):
    """Failing while another MAC answers for a gateway than when all was good, or two do.

    Good again, whoever else answers, once the gateway's own MAC is pinned: then nobody is misled.
    """

    layer: ClassVar = Layer.DATA_LINK
    issue_types: ClassVar = ("gateway_changed",)
    schedule: ClassVar = Schedule(interval_s=15.0, timeout_s=0.5, confirm_interval_s=0.1)

    answer_within_s: float = 0.5

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls(answer_within_s=schedule.timeout_s)

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return ("l1_carrier", "l1_errors", "l3_addresses", "l3_default_route")

    async def look(self, host: Host) -> Reading:
        return await worst_of_gateways(host.netlink, host.known, partial(self._look, host))

    async def _look(self, host: Host, gateway: str, route: Route) -> Reading:
        evidence: dict[str, Any] = {"gateway": gateway, "interface": route.interface}
        try:  # as for a duplicate, since all the answers are wanted
            macs = await host.packets.owners(gateway, route.interface, self.answer_within_s, own=True)
        except NoNeighboursError:
            return Reading(ok=True, evidence=evidence | {"why": "nobody has to be asked for on this link"})
        entry = await host.netlink.neighbour(gateway, route.interface)
        good = host.known.good.neighbours.get(gateway)
        pinned = entry is not None and entry.state == "permanent"
        if not macs and entry is not None and entry.mac and entry.state == "reachable":
            macs = [entry.mac]  # some gateways do not answer whoever asks without an address
        evidence |= {"answered_by": ", ".join(macs), "mac_when_good": good, "pinned": pinned}
        if pinned and good and entry is not None and entry.mac == good:
            return Reading(ok=True, evidence=evidence)
        if not macs:
            raise ProbeError(f"nobody answers for the gateway {gateway} on {route.interface}")
        return Reading(ok=len({_group(mac) for mac in (*macs, good or macs[0])}) == 1, evidence=evidence)


def _group(mac: str) -> str:
    return mac[:GLBP_GROUP] if mac.startswith(GLBP) else mac
