"""What did this host look like when all was good?"""

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host.protocols.netlink import Netlink, Route
from guardian_agent.model import Stamp


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


class Known(msgspec.Struct):
    """The one place where what is known to be good is kept while the agent runs."""

    good: KnownGood = KnownGood()


async def uplink(netlink: Netlink, known: Known) -> str:
    """The interface by which this host reaches others: the known-good one, else the default route's.

    Raises:
        ProbeError: there is none.
    """
    if known.good.uplink:
        return known.good.uplink
    if (route := await netlink.default_route()) is None:
        raise ProbeError("no default route and none known from before, so no uplink to judge")
    return route.interface


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
