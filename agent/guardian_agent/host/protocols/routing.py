"""What does the kernel go by when it decides where a packet goes: routes, rules and addresses, each one whole?"""

import ipaddress
from collections.abc import Collection

import msgspec

MAIN_TABLE, LOCAL_TABLE = 254, 255
KERNEL, STATIC = 2, 4  # RTPROT_*
SCOPE_LINK = 253
# RTPROT_*: redirect, kernel, ra, dhcp. Put there by the network itself or the kernel, which may take them away too.
NOBODYS = frozenset({1, 2, 9, 16})
PROTOCOLS = {1: "redirect", 2: "kernel", 3: "boot", 4: "static", 9: "ra", 16: "dhcp"}
SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
DISCARDING = ("blackhole", "unreachable", "prohibit")


class RouteEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a routing table (rtnetlink(7), RTM_NEWROUTE)."""

    destination: str  # ADDRESS/PREFIX
    kind: str = "unicast"  # or blackhole, unreachable, prohibit, throw
    gateway: str = ""
    interface: str = ""
    table: int = MAIN_TABLE
    metric: int = 0
    protocol: int = STATIC  # RTPROT_*: who put it there
    scope: int = 0  # RT_SCOPE_*
    source: str = ""  # the preferred source address
    mtu: int = 0  # bytes; 0: the interface's
    onlink: bool = False  # the gateway is taken to be on the link, whatever the addresses say
    whole: bool = True  # False: it has more than is told here, so it is neither put back nor taken away

    def __str__(self) -> str:
        """As ip-route(8) writes it."""
        plain = self.destination
        if plain in ("0.0.0.0/0", "::/0"):
            plain = "default"
        words = [*([] if self.kind == "unicast" else [self.kind]), plain]
        words += _named(via=self.gateway, dev=self.interface)
        words += _named(table="" if self.table == MAIN_TABLE else str(self.table))
        words += ["proto", PROTOCOLS.get(self.protocol, str(self.protocol))]
        words += _named(scope=SCOPES.get(self.scope, str(self.scope)) if self.scope else "", src=self.source)
        words += _named(metric=str(self.metric or ""), mtu=str(self.mtu or ""))
        return " ".join([*words, *(["onlink"] if self.onlink else [])])

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.destination

    @property
    def is_default(self) -> bool:
        return self.destination.endswith("/0")


class RuleEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the routing policy (ip-rule(8))."""

    ipv6: bool
    priority: int
    action: str = "lookup"  # or blackhole, unreachable, prohibit; goto, nop: never ours
    table: int = 0  # that it looks up
    to: str = ""  # ADDRESS/PREFIX; empty: all
    source: str = ""  # ADDRESS/PREFIX of `from`; empty: all
    mark: int = 0
    mask: int = 0
    incoming: str = ""  # interface, iif
    outgoing: str = ""  # interface, oif
    protocol: int = 0  # RTPROT_*: who put it there
    whole: bool = True  # False: it has more than is told here, so it is neither put back nor taken away

    def __str__(self) -> str:
        """As ip-rule(8) writes it."""
        mark = f"{self.mark:#x}/{self.mask:#x}" if self.mark or self.mask else ""
        words = [f"{self.priority}:", "from", self.source or "all", *_named(to=self.to, fwmark=mark)]
        words += _named(iif=self.incoming, oif=self.outgoing)
        return " ".join([*words, self.action, *([str(self.table)] if self.action == "lookup" else [])])

    @property
    def is_selective(self) -> bool:
        """Whether it is for some packets only, by more than where they go."""
        return bool(self.source or self.mark or self.mask or self.incoming or self.outgoing) or not self.whole


class AddressEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One address of an interface (rtnetlink(7), RTM_NEWADDR)."""

    interface: str
    address: str
    prefix: int
    peer: str = ""  # the other end's, on a point-to-point link
    broadcast: str = ""
    label: str = ""  # empty: the interface's name
    scope: int = 0  # RT_SCOPE_*
    metric: int = 0  # of the route to its network
    routed: bool = True  # False: the kernel makes no route to its network (IFA_F_NOPREFIXROUTE)
    leased: bool = False  # for a time: by DHCP or a router's advertisement, so that the network itself may change it

    def __str__(self) -> str:
        """As ip-address(8) writes it."""
        peer = f" peer {self.peer}" if self.peer else ""
        return f"{self.address}{peer}/{self.prefix} dev {self.interface}"

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.address

    @property
    def network(self) -> str:
        """Of the address, as ADDRESS/PREFIX."""
        return str(ipaddress.ip_interface(f"{self.peer or self.address}/{self.prefix}").network)


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """All of it at one moment: without the kernel's own local, broadcast and multicast routes, those for one type of
    service or one range of sources, and link-local addresses."""

    routes: tuple[RouteEntry, ...] = ()
    rules: tuple[RuleEntry, ...] = ()
    addresses: tuple[AddressEntry, ...] = ()

    def lasting(self, interfaces: Collection[str]) -> "Routing":
        """What of it can be put back later: of these interfaces and `lo` only, what discards, and all rules; without
        what is not whole and what the network itself put there for a time."""
        return Routing(
            routes=tuple(
                route
                for route in self.routes
                if route.whole
                and route.protocol not in (1, 9)
                and (not route.interface or route.interface in interfaces)
            ),
            rules=tuple(rule for rule in self.rules if rule.whole),
            addresses=tuple(
                one
                for one in self.addresses
                if not one.leased and (one.interface in interfaces or one.interface == "lo")
            ),
        )

    def entries(self) -> list[str]:
        """What the kernel has not made by itself, as the tools write it."""
        addresses = [str(one) for one in self.addresses if not ipaddress.ip_address(one.address).is_loopback]
        routes = [str(route) for route in self.routes if route.protocol != KERNEL]
        return [*addresses, *routes, *(f"rule {rule}" for rule in self.rules if rule.protocol != KERNEL)]


def _named(**words: str) -> list[str]:
    """Each word that is not empty, behind its name."""
    return [part for name, word in words.items() if word for part in (name, word)]
