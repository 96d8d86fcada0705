"""Layer 2: does the gateway answer when the link is asked for it?"""

from functools import partial
from typing import Any, ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, Neighbour, NoNeighboursError, Route
from guardian_agent.host.reaching import is_link_local, is_on_link, worst_of_gateways
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe


class L2Neighbour(Probe, frozen=True, kw_only=True):
    """Failing while a gateway does not answer ARP or NDP, the kernel does not take its answer, or a MAC is pinned to it
    that is not its own.

    Not judged from outside of the gateway's network, unless this host was well that way.
    """

    layer: ClassVar = Layer.DATA_LINK
    issue_types: ClassVar = ("neighbour_failed",)
    schedule: ClassVar = Schedule(interval_s=5.0, timeout_s=0.3, confirm_interval_s=0.05)

    answer_within_s: float = 0.3

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls(answer_within_s=schedule.timeout_s)

    def rests_on(self, issue_type: str) -> tuple[str, ...]:
        return ("l1_carrier", "l1_errors", "l1_loss", "l3_addresses", "l3_default_route")

    async def look(self, host: Host) -> Reading:
        return await worst_of_gateways(host.netlink, host.known, partial(self._look, host))

    async def _look(self, host: Host, gateway: str, route: Route) -> Reading:
        evidence: dict[str, Any] = {"gateway": gateway, "interface": route.interface}
        if not is_link_local(gateway):
            own = await host.netlink.addresses(route.interface)
            if not is_on_link(gateway, own) and (is_on_link(gateway, host.known.good.addresses) or not own):
                raise ProbeError(f"this host has no address in the network of its gateway {gateway}")
        try:
            macs = await host.packets.owners(gateway, route.interface, self.answer_within_s)
        except NoNeighboursError:
            return Reading(ok=True, evidence=evidence | {"why": "nobody has to be asked for on this link"})
        entry = await host.netlink.neighbour(gateway, route.interface)
        good = host.known.good.neighbours.get(gateway)
        if entry is not None:
            evidence |= {"mac": entry.mac, "state": entry.state}
        evidence |= {"answered_by": macs[0] if macs else None, "mac_when_good": good}
        if reason := _complaint(entry, macs, good):
            return Reading(ok=False, evidence=evidence | {"reason": reason})
        return Reading(ok=True, evidence=evidence)


def _complaint(entry: Neighbour | None, macs: list[str], good: str | None) -> str:
    if entry is not None and entry.state == "permanent":
        right = [good] if good else macs
        if right and entry.mac not in right:
            return "another MAC than its own is pinned to the gateway"
    if not macs:
        return "the gateway does not answer on the link"
    if entry is not None and entry.state == "failed":
        return "the gateway answers, and the kernel does not take it"
    return ""
