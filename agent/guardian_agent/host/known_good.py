"""What did this host look like when all was good?"""

from collections.abc import AsyncIterator, Iterable

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host.name_files import KeptFile
from guardian_agent.host.protocols.netlink import Netlink, Route
from guardian_agent.host.protocols.routing import Routing
from guardian_agent.model import Endpoint, Stamp


class KnownGood(msgspec.Struct, frozen=True, kw_only=True):
    """The host's network and files as last seen good; probes compare with it, and repairs go back to it."""

    learned_at: Stamp | None = None  # None: nothing is known yet
    uplink: str = ""  # the interface of the default route
    mtu: int = 0
    addresses: tuple[str, ...] = ()  # of the uplink, as ADDRESS/PREFIX, without passing ones
    default_routes: tuple[Route, ...] = ()  # one a family
    routes: dict[str, Route] = {}  # the way to addresses that matter here, by address
    neighbours: dict[str, str] = {}  # MACs of the gateways, by address
    upstream: tuple[str, ...] = ()  # of these addresses, those that answered echo
    name_servers: tuple[str, ...] = ()
    names: dict[str, tuple[str, ...]] = {}  # addresses of the names that the configuration uses
    files: dict[str, str] = {}  # hashes of the declared artifacts, by path
    echoing_gateways: tuple[str, ...] = ()  # gateways that answered echo requests; none: not known, or none does
    gateway_rtt_s: float = 0.0  # median round trip to the gateway; 0: not known
    path_mtus: dict[str, int] = {}  # the largest whole packet, in bytes, that an upstream address answered to
    file_systems: dict[str, bool] = {}  # whether they could be written to, by mount point
    name_files: dict[str, KeptFile] = {}  # /etc/resolv.conf and /etc/hosts, as far as they are there
    packages_as_of: str = ""  # when packages had last been installed or removed
    routing: Routing | None = None  # what can be put back of its routes, rules and addresses; None: not known yet
    releases: dict[str, str] = {}  # what the link to the current release named, by component
    firewall: dict[str, str] | None = None  # the text of every table of nftables, by family and name; None: not known
    firewall_packages: str = ""  # packages_as_of when that firewall was seen: it is believed later than the rest


class Known(msgspec.Struct):
    """The one place where what is known of this host is kept while the agent runs."""

    good: KnownGood = KnownGood()
    moved: dict[str, Endpoint] = {}  # where components listen that were moved off the endpoint that they declare

    def listens_at(self, component: str, declared: Endpoint) -> Endpoint:
        """Where a component is to listen; its clients ask at the endpoint that it declares all the same."""
        return self.moved.get(component, declared)


async def uplink(netlink: Netlink, known: Known) -> str:
    """The interface by which this host reaches others: the known-good one unless it has gone over to another, else the
    default route's.

    Raises:
        ProbeError: there is none.
    """
    if known.good.uplink:
        return await gone_over_to(netlink, known) or known.good.uplink
    if (route := await netlink.default_route()) is None:
        raise ProbeError("no default route and none known from before, so no uplink to judge")
    return route.interface


async def gone_over_to(netlink: Netlink, known: Known) -> str:
    """The interface with a carrier by which the default route goes now and none went when all was good: a cable in the
    place of the wireless, a failover, another name. Empty where it has not changed. Raises ProbeError."""
    good = known.good
    route = await netlink.default_route() if good.uplink else None
    if route is None or route.interface in (good.uplink, *(one.interface for one in good.default_routes)):
        return ""
    link = await netlink.link(route.interface)
    return link.name if link is not None and link.admin_up and link.carrier else ""


async def gateways(netlink: Netlink, known: Known) -> list[Route]:
    """The default routes with a gateway that hold now, or where a family has none, the one known good.

    Raises:
        ProbeError: there is none.
    """
    now = await netlink.default_routes()
    families = {":" in (route.gateway or "") for route in now if route.gateway}
    lost = [good for good in known.good.default_routes if good.gateway and (":" in good.gateway) not in families]
    found = [route for route in now if route.gateway] + lost
    if not found:
        raise ProbeError("no gateway: this host has no default route through one")
    return found


async def astray(netlink: Netlink, known: Known) -> AsyncIterator[tuple[str, Route | None, Route]]:
    """The addresses that matter to which the kernel would send another way than known good, each with the way now and
    the good one.

    Not astray is what went by the default route and still does, wherever that leads now; another gateway on the same
    interface, told by DHCP or a router's advertisement; an address that this host has taken over on the interface that
    led to it. Raises ProbeError.
    """
    defaults = await netlink.default_routes()
    for address, wanted in known.good.routes.items():
        way = await netlink.route_to(address)
        if way is None or not (
            way.same_way(wanted)
            or (_among(wanted, known.good.default_routes) and _among(way, defaults))
            or await _is_meant(netlink, address, way, wanted)
        ):
            yield address, way, wanted


def _among(route: Route, defaults: Iterable[Route]) -> bool:
    return any(route.same_way(default) for default in defaults)


async def _is_meant(netlink: Netlink, address: str, way: Route, wanted: Route) -> bool:
    if way.interface == "lo" and not way.discards:
        return any(own.address == address for own in await netlink.addresses(wanted.interface))
    return way.assigned and way.interface == wanted.interface
