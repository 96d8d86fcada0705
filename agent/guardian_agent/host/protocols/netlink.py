"""What can be told of links, addresses, routes and neighbours?"""

from typing import Protocol, Self

import msgspec

from guardian_agent.host.protocols.routing import Routing


class LinkCounters(msgspec.Struct, frozen=True, kw_only=True):
    """What an interface has carried and lost since it was made (IFLA_STATS64)."""

    rx_packets: int = 0
    tx_packets: int = 0
    rx_errors: int = 0
    tx_errors: int = 0
    rx_dropped: int = 0
    tx_dropped: int = 0


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A network interface (rtnetlink(7))."""

    name: str
    admin_up: bool
    carrier: bool
    mtu: int = 1500
    mac: str | None = None
    carrier_changes: int = 0  # since it was made (IFLA_CARRIER_CHANGES)
    counters: LinkCounters | None = None  # None: not asked for


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """An address of an interface that is not link-local."""

    address: str
    prefix: int
    lasting: bool = True  # not one of IPv6's temporary ones, nor deprecated or still tentative
    duplicate: bool = False  # the kernel found that another host has it (IFA_F_DADFAILED)
    leased: bool = False  # for a time: by DHCP or a router's advertisement, so that the network itself may change it

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix}"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A route: a default one, or the one that the kernel would take to some destination."""

    interface: str
    gateway: str | None  # None: the route goes straight on to the link
    discards: str = ""  # unreachable, blackhole, prohibit: what happens to packets instead of being sent
    family: str = ""  # ipv4, ipv6; empty: as the gateway's
    origin: str = ""  # who put it there (RTPROT_*): kernel, boot, static, dhcp, ra …; empty: not told

    def __str__(self) -> str:
        """As ip-route(8) writes it."""
        way = f"via {self.gateway} " if self.gateway else ""
        return self.discards or f"{way}dev {self.interface}"

    @property
    def assigned(self) -> bool:
        """The network itself put it there, by DHCP or a router's advertisement, and may put another."""
        return self.origin in ("dhcp", "ra")

    def same_way(self, other: "Route") -> bool:
        """Whether packets go the same way, whoever put the routes there."""
        return (self.interface, self.gateway, self.discards) == (other.interface, other.gateway, other.discards)

    def same_family(self, other: "Route") -> bool:
        """Whether both are of IPv4 or both of IPv6."""
        return self._family() == other._family()

    def _family(self) -> str:
        return self.family or ("ipv6" if ":" in (self.gateway or "") else "ipv4")


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel knows of an address on the link (ARP, NDP)."""

    address: str
    mac: str | None
    state: str  # reachable, stale, delay, probe, failed, incomplete, permanent, noarp, none


class NetworkEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something changed in the kernel's network configuration. It never judges by itself."""

    kind: str  # link, address, route, neighbour, rule; "missed": some may have been lost
    interface: str = ""  # of a link
    address: str = ""  # of a neighbour


class NetworkEvents(Protocol):
    """Events as they come; `aclose` ends them."""

    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> NetworkEvent: ...
    async def aclose(self) -> None: ...


class Netlink(Protocol):
    """Links, addresses, routes and neighbours. Each raises ProbeError when the kernel does not answer."""

    async def link(self, name: str, *, counters: bool = False) -> Link | None:
        """The interface of that name, or None."""

    async def default_route(self) -> Route | None:
        """The default route with the lowest metric, IPv4 before IPv6, or None."""

    async def default_routes(self) -> list[Route]:
        """The default route with the lowest metric of each family that has one, IPv4 first."""

    async def route_to(self, address: str) -> Route | None:
        """The route that the kernel would take to an address now, by all its rules and tables (`ip route get
        fibmatch`); one that `discards` when it would send nothing; None when there is no way at all."""

    async def neighbour(self, address: str, interface: str) -> Neighbour | None:
        """The kernel's entry for an address, or None when it has none."""

    async def addresses(self, interface: str) -> list[Address]:
        """The addresses of an interface that are not link-local, IPv4 first."""

    async def routing(self) -> Routing:
        """All routes, rules and addresses at this moment."""

    def events(self) -> NetworkEvents:
        """What changes from now on, until the iterator is closed. Only changes count: a neighbour that is merely
        confirmed again is none."""
