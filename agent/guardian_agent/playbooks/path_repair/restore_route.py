"""Puts addresses, routes and rules back to where they were when all was good."""

import ipaddress
from collections.abc import Iterable
from typing import ClassVar

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import AddressEntry, Host, KnownGood, NoNeighboursError, Route, Routing
from guardian_agent.host.deciding import decide
from guardian_agent.host.known_good import astray
from guardian_agent.host.reaching import answers
from guardian_agent.model import Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation
from guardian_agent.playbooks.narrow_path import narrow_path
from guardian_agent.playbooks.putting_back import PuttingBack

ANSWERS_WITHIN_S = 1.0
OWNER_WITHIN_S = 0.5


class RestoreRoute(Playbook, frozen=True, kw_only=True):
    """Puts back addresses, routes and rules that were good, and takes away the foreign ones that lead astray.

    Foreign ones only where they keep packets from somebody who matters and who cannot be reached so. What works another
    way now is somebody's decision, and is left alone; so is what DHCP or a router put there. To whom only short packets
    get through, it adds a route that says how long they may be.
    """

    heals: ClassVar = ("route_missing", "route_wrong", "address_missing", "path_mtu")
    tier: ClassVar = Tier.AUTOMATIC

    interfaces: tuple[str, ...] = ()  # whose addresses and routes may be changed, `lo` too; none: all

    async def plan(self, situation: Situation, host: Host) -> Plan:
        good = host.known.good
        if good.routing is None or not good.uplink:
            raise CannotPlanError("this host's routes and addresses were never seen good")
        now = await host.netlink.routing()
        if situation.incident.issue_type == "path_mtu":
            plan = await narrow_path(situation, host, now)
        else:
            plan = Plan(*(await _put_back(host, good, PuttingBack(now, good.routing))).steps)
        for step in plan.steps:
            self._check(step.do)
        if not plan.steps:
            raise CannotPlanError("nothing that was good is missing, and nothing foreign is in the way")
        return plan

    def _check(self, operation: object) -> None:
        interface = getattr(getattr(operation, "entry", None), "interface", "")
        if interface and self.interfaces and interface not in self.interfaces:
            raise CannotPlanError(f"playbooks.restore_route.interfaces does not name {interface}")


async def _put_back(host: Host, good: KnownGood, plan: PuttingBack) -> PuttingBack:
    link = await host.netlink.link(good.uplink)
    if link is None or not link.admin_up or not link.carrier:
        raise CannotPlanError(f"the uplink {good.uplink} is down, so nothing can be put back on it")
    lost = [(to, way, wanted) async for to, way, wanted in astray(host.netlink, host.known)]
    await _model_holds(host, plan.now, [to for to, _, _ in lost])
    if await _put_back_addresses(host, good, plan, is_astray=bool(lost)):
        plan.add_missing_routes(good.uplink)
    await _put_back_defaults(host, good, plan)
    for address, way, wanted in lost:
        if plan.lead(address, wanted) if await _is_lost(host, address, way) else _may_stay(address, way, good):
            continue
        raise CannotPlanError(f"{address} goes {way or 'no way'}, and what makes it so is not Guardian's to change")
    return plan


async def _model_holds(host: Host, now: Routing, addresses: Iterable[str]) -> None:
    """The kernel goes by more than is modelled: where it decides otherwise, nothing is planned on the model."""
    for address in addresses:
        way, modelled = await host.netlink.route_to(address), decide(now, address).way()
        if way is None or modelled is None:
            if way is not None or modelled is not None:
                raise CannotPlanError(f"why {address} goes {way or 'no way'} cannot be told by the routes and rules")
        elif not way.same_way(modelled):
            raise CannotPlanError(f"why {address} goes {way} cannot be told by the routes and rules")


async def _is_lost(host: Host, address: str, way: Route | None) -> bool:
    """Whether nothing gets there the way it goes now. Of one that never answered, nobody can tell."""
    if way is None or way.discards or way.interface == "lo":
        return True
    return address in host.known.good.upstream and not (await answers(host.packets, address, ANSWERS_WITHIN_S)).answered


def _may_stay(address: str, way: Route | None, good: KnownGood) -> bool:
    if address in good.upstream:
        raise CannotPlanError(f"{address} goes {way} now, and answers: that is somebody's decision")
    raise CannotPlanError(f"{address} goes {way} now, and whether it answers there cannot be told")


async def _put_back_defaults(host: Host, good: KnownGood, plan: PuttingBack) -> None:
    present = await host.netlink.default_routes()
    for wanted in good.default_routes:
        now = next((route for route in present if route.same_family(wanted)), None)
        if now is not None and (now.same_way(wanted) or (now.assigned and now.interface == wanted.interface)):
            continue
        if now is not None:
            await _check_that_it_does_not_work(host, now, wanted)
        if not plan.lead_by_default(wanted):
            raise CannotPlanError(f"the default route {wanted} cannot be put back")


async def _check_that_it_does_not_work(host: Host, now: Route, wanted: Route) -> None:
    """Raises CannotPlanError where it does, where nobody can tell, and where the good gateway is gone."""
    is_ipv6 = not wanted.same_family(Route(interface="", gateway=None, family="ipv4"))
    known = [one for one in host.known.good.upstream if (":" in one) == is_ipv6]
    if not known:
        raise CannotPlanError(f"there is a default route, {now}, and nobody is known who would answer by it")
    for address in known:
        if (await answers(host.packets, address, ANSWERS_WITHIN_S)).answered:
            raise CannotPlanError(f"there is a default route, {now}, and it works: that is somebody's decision")
    if wanted.gateway and not await _has_owner(host, wanted.gateway, wanted.interface, own=False):
        raise CannotPlanError(f"the good gateway {wanted.gateway} does not answer on the link")


async def _has_owner(host: Host, address: str, interface: str, *, own: bool) -> bool:
    try:
        return bool(await host.packets.owners(address, interface, OWNER_WITHIN_S, own=own))
    except NoNeighboursError:
        return not own


async def _put_back_addresses(host: Host, good: KnownGood, plan: PuttingBack, *, is_astray: bool) -> bool:
    """Plans the uplink's addresses in networks that it is in no more, and then to take away the same ones with a wrong
    prefix; whether there were any."""
    here = [one for one in plan.now.addresses if one.interface == good.uplink]
    networks = {one.network for one in here}
    missing = [one for one in plan.good.addresses if one.interface == good.uplink and one.network not in networks]
    if any(one in here for one in plan.good.addresses):  # a floating one comes and goes
        missing = [one for one in missing if not one.network.endswith(("/32", "/128"))]
    if missing and not is_astray and await _all_answer(host, {one.is_ipv6 for one in missing}):
        raise CannotPlanError("the addresses are others now, and all works: that is somebody's decision")
    for entry in missing:
        if not any(one.address == entry.address for one in here) and not entry.is_ipv6:
            await _check_that_it_is_free(host, entry)
        plan.add_address(entry)
    for wrong in here:
        same = any(one.address == wrong.address and one.prefix != wrong.prefix for one in missing)
        if same and not wrong.leased and wrong not in plan.good.addresses:
            plan.delete_address(wrong)
    return bool(missing)


async def _check_that_it_is_free(host: Host, entry: AddressEntry) -> None:
    """A floating address may be another host's by now (RFC 5227, 2.1.1); IPv6's the kernel asks for itself."""
    if not ipaddress.ip_address(entry.address).is_loopback and await _has_owner(
        host, entry.address, entry.interface, own=True
    ):
        raise CannotPlanError(f"{entry.address} is another host's now")


async def _all_answer(host: Host, families: set[bool]) -> bool:
    known = [one for one in host.known.good.upstream if (":" in one) in families]
    found = [(await answers(host.packets, one, ANSWERS_WITHIN_S)).answered for one in known]
    return bool(found) and all(found)
