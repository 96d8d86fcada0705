"""Sets an interface up again that was set down, or back to the packet size that was good."""

import ipaddress
from typing import Annotated, ClassVar

import msgspec

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import Host, Link, Routing
from guardian_agent.host.operations import SetLink, SetLinkMtu
from guardian_agent.model import Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step
from guardian_agent.playbooks.putting_back import PuttingBack


class BounceLink(Playbook, frozen=True, kw_only=True):
    """Sets an uplink up that was set down on this host, or back to its good MTU, and puts back the routes it lost.

    A carrier that is gone at the other end cannot be brought back from here. Only one that came and went before it
    stayed away is tried for by a bounce: down, and up again.
    """

    heals: ClassVar = ("link_down", "mtu_changed")
    tier: ClassVar = Tier.AUTOMATIC

    interfaces: tuple[str, ...] = ()  # that may be changed; none: all
    flaps: Annotated[int, msgspec.Meta(ge=2)] = (
        2  # changes of the carrier within ten seconds that make a bounce worth it
    )

    async def plan(self, situation: Situation, host: Host) -> Plan:
        evidence = situation.incident.evidence
        name = str(evidence.get("interface") or host.known.good.uplink)
        if not name:
            raise CannotPlanError("the incident names no interface, and no uplink of this host was ever seen good")
        if self.interfaces and name not in self.interfaces:
            raise CannotPlanError(f"playbooks.bounce_link.interfaces does not name {name}")
        if (link := await host.netlink.link(name)) is None:
            raise CannotPlanError(f"there is no interface {name}: it cannot be set up")
        if situation.incident.issue_type == "mtu_changed":
            first = _good_mtu(link, evidence.get("known_good") or host.known.good.mtu)
        else:
            first = self._up(link, int(evidence.get("carrier_changes", 0)))
        return Plan(*first, *await _what_it_lost(host, name))

    def _up(self, link: Link, changes: int) -> list[Step]:
        up, down = SetLink(link.name, up=True), SetLink(link.name, up=False)
        if not link.admin_up:
            return [Step(up, undo=down)]
        if link.carrier:
            raise CannotPlanError(f"{link.name} is up and has a carrier: it is not bounced")
        if changes < self.flaps:
            raise CannotPlanError(f"{link.name} is up and has no carrier: that is the other end's, or the cable's")
        return [Step(SetLink(link.name, up=False, unless_carrier=True), undo=up), Step(up, undo=up)]


def _good_mtu(link: Link, good: object) -> list[Step]:
    if not isinstance(good, int) or good <= 0:
        raise CannotPlanError(f"no MTU of {link.name} is known to be good")
    if link.mtu == good:
        raise CannotPlanError(f"{link.name} has its good MTU of {good} bytes")
    return [Step(SetLinkMtu(link.name, good), undo=SetLinkMtu(link.name, link.mtu))]


async def _what_it_lost(host: Host, interface: str) -> list[Step]:
    """Puts back what the kernel drops of an interface that goes down, and nobody else may put back. Only IPv6 drops
    addresses: of those, the kernel itself finds out whether another host has them by now."""
    now, good = await host.netlink.routing(), host.known.good.routing or Routing()
    putting_back = PuttingBack(now, good)
    present = {(one.address, one.prefix) for one in now.addresses if one.interface == interface}
    for entry in good.addresses:
        lost = entry.interface == interface and (entry.address, entry.prefix) not in present
        if lost and entry.is_ipv6 and not ipaddress.ip_address(entry.address).is_loopback:
            putting_back.add_address(entry)
    putting_back.connect(interface)
    putting_back.add_missing_routes(interface)
    return putting_back.steps
