"""Changes to links, addresses, routes, rules and neighbours."""

from typing import ClassVar

from guardian_agent.host.operations.base import Change
from guardian_agent.host.protocols.routing import AddressEntry, RouteEntry, RuleEntry


class SetLink(Change, frozen=True, tag=True):
    """Sets an interface administratively up or down; `unless_carrier`: refused where it has a carrier by then."""

    may_cut_off: ClassVar = True
    interface: str
    up: bool
    unless_carrier: bool = False

    def describe(self) -> str:
        return f"ip link set {self.interface} {'up' if self.up else 'down'}"


class SetLinkMtu(Change, frozen=True, tag=True):
    """Sets how long packets an interface takes, in bytes."""

    may_cut_off: ClassVar = True
    interface: str
    mtu: int

    def describe(self) -> str:
        return f"ip link set {self.interface} mtu {self.mtu}"


class AddAddress(Change, frozen=True, tag=True):
    """Gives an interface an address for good."""

    may_cut_off: ClassVar = True
    entry: AddressEntry

    def describe(self) -> str:
        return f"ip address add {self.entry}"


class DeleteAddress(Change, frozen=True, tag=True):
    """Takes an address off its interface; the kernel takes the routes along that rest on it."""

    may_cut_off: ClassVar = True
    entry: AddressEntry

    def describe(self) -> str:
        return f"ip address del {self.entry}"


class AddRoute(Change, frozen=True, tag=True):
    """Adds a route; another one in its very place is an error."""

    may_cut_off: ClassVar = True
    entry: RouteEntry

    def describe(self) -> str:
        return f"ip{_family(self.entry)} route add {self.entry}"


class DeleteRoute(Change, frozen=True, tag=True):
    """Deletes exactly this route."""

    may_cut_off: ClassVar = True
    entry: RouteEntry

    def describe(self) -> str:
        return f"ip{_family(self.entry)} route del {self.entry}"


class AddRule(Change, frozen=True, tag=True):
    """Adds a rule to the routing policy."""

    may_cut_off: ClassVar = True
    entry: RuleEntry

    def describe(self) -> str:
        return f"ip{' -6' if self.entry.ipv6 else ''} rule add {_words(self.entry)}"


class DeleteRule(Change, frozen=True, tag=True):
    """Deletes exactly this rule, as often as it is there."""

    may_cut_off: ClassVar = True
    entry: RuleEntry

    def describe(self) -> str:
        return f"ip{' -6' if self.entry.ipv6 else ''} rule del {_words(self.entry)}"


class SetNeighbour(Change, frozen=True, tag=True):
    """Sets what the kernel takes for a neighbour's MAC: for good (`permanent`), or until it asks again."""

    may_cut_off: ClassVar = True
    interface: str
    address: str
    mac: str
    permanent: bool

    def describe(self) -> str:
        state = "permanent" if self.permanent else "stale"
        return f"ip neigh replace {self.address} lladdr {self.mac} dev {self.interface} nud {state}"


class DeleteNeighbour(Change, frozen=True, tag=True):
    """Forgets what the kernel knows of a neighbour: it asks again when it needs to."""

    may_cut_off: ClassVar = True
    interface: str
    address: str

    def describe(self) -> str:
        return f"ip neigh del {self.address} dev {self.interface}"


def _family(route: RouteEntry) -> str:
    return " -6" if route.is_ipv6 and route.is_default else ""


def _words(rule: RuleEntry) -> str:
    return f"priority {str(rule).replace(':', '', 1)}"


NetworkOperation = (
    SetLink
    | SetLinkMtu
    | AddAddress
    | DeleteAddress
    | AddRoute
    | DeleteRoute
    | AddRule
    | DeleteRule
    | SetNeighbour
    | DeleteNeighbour
)
