"""A healthy uplink, until a test says otherwise."""

import asyncio
from typing import Self

from tests.agent.fake_routing import RULES, routing_of

from guardian_agent.errors import ProbeError
from guardian_agent.host import (
    Address,
    Echo,
    Link,
    LinkCounters,
    Neighbour,
    NetworkEvent,
    NoNeighboursError,
    Route,
    RouteEntry,
    Routing,
    RuleEntry,
)
from guardian_agent.host.deciding import decide

GATEWAY, GATEWAY_MAC = "198.18.0.1", "02:00:00:00:00:01"


class FakeNetworkEvents:
    """Events from its making on."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[NetworkEvent | None] = asyncio.Queue()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> NetworkEvent:
        if (event := await self.queue.get()) is None:
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        self.queue.put_nowait(None)


class FakeNetlink:
    """Links, routes, neighbours and addresses in dictionaries; `unreadable` is why the kernel does not tell."""

    def __init__(self) -> None:
        self.links = {"host0": Link(name="host0", admin_up=True, carrier=True, counters=LinkCounters())}
        self.route: Route | None = Route(interface="host0", gateway=GATEWAY)
        self.second_route: Route | None = None  # the default one of the other family
        self.routes: dict[str, Route | None] = {}  # to single addresses; else the default one
        self.neighbours = {GATEWAY: Neighbour(address=GATEWAY, mac=GATEWAY_MAC, state="reachable")}
        self.own = {"host0": [Address(address="198.18.0.2", prefix=16)]}
        self.more_routes: list[RouteEntry] = []  # beside the default ones and those that addresses make
        self.rules: list[RuleEntry] = list(RULES)
        self.unplugged: set[str] = set()  # interfaces that have no carrier, whatever is done here
        self.unreadable = ""
        self._listeners: list[FakeNetworkEvents] = []

    async def link(self, name: str, *, counters: bool = False) -> Link | None:
        self._read()
        return self.links.get(name)

    async def default_route(self) -> Route | None:
        self._read()
        return self.route

    async def default_routes(self) -> list[Route]:
        self._read()
        return [route for route in (self.route, self.second_route) if route]

    async def route_to(self, address: str) -> Route | None:
        self._read()
        if not address.replace(".", "").isdecimal() and ":" not in address:
            return self.routes.get(address, self.route)  # a name: a test's own doing
        decision = decide(routing_of(self), address.partition("%")[0])
        special = decision.route in self.more_routes or (decision.rule is not None and decision.rule not in RULES)
        if address not in self.routes and (special or (decision.address and decision.address.interface == "lo")):
            return decision.way()
        return self.routes.get(address, self.route)

    async def neighbour(self, address: str, interface: str) -> Neighbour | None:
        self._read()
        return self.neighbours.get(address)

    async def addresses(self, interface: str) -> list[Address]:
        self._read()
        return self.own.get(interface, [])

    async def routing(self) -> Routing:
        self._read()
        return routing_of(self)

    def is_up(self, interface: str) -> bool:
        return interface in self.links and self.links[interface].admin_up

    def drop_routes(self, interface: str) -> None:
        """What the kernel does when an interface goes down."""
        self.more_routes = [one for one in self.more_routes if one.interface != interface]
        self.route, self.second_route = (
            None if route and route.interface == interface else route for route in (self.route, self.second_route)
        )

    def events(self) -> FakeNetworkEvents:
        self._listeners.append(FakeNetworkEvents())
        return self._listeners[-1]

    def emit(self, kind: str, interface: str = "") -> None:
        for listener in self._listeners:
            listener.queue.put_nowait(NetworkEvent(kind=kind, interface=interface))

    def _read(self) -> None:
        if self.unreadable:
            raise ProbeError(self.unreadable)


class FakePackets:
    """Everybody answers, until `silent` names them; `macs` are who says to have an address."""

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.reasons: dict[str, str] = {}  # why an echo request comes to nothing, by address
        self.narrow: dict[str, int] = {}  # the largest whole packet that gets to an address
        self.macs: dict[str, list[str]] = {GATEWAY: [GATEWAY_MAC]}
        self.announced: dict[str, int] = {}  # what is said against a whole packet that is longer, by address
        self.kernels: dict[str, int] = {}  # the kernel's own idea of the way's MTU, by address
        self.round_trips_s: dict[str, float] = {}
        self.lost: dict[str, list[bool]] = {}  # what becomes of the next echo requests, by address
        self.point_to_point = False
        self.echoes: list[tuple[str, int, bool]] = []  # address, size, whole
        self.unreadable = ""

    async def echo(self, address: str, timeout_s: float, *, size_bytes: int = 56, whole: bool = False) -> Echo:
        if self.unreadable:
            raise ProbeError(self.unreadable)
        self.echoes.append((address, size_bytes, whole))
        if whole and size_bytes + 28 > self.announced.get(address, 65535):
            return Echo(answered=False, reason="packet too big by 198.18.0.1", mtu=self.announced[address])
        if self.lost.get(address) and self.lost[address].pop(0):
            await asyncio.sleep(timeout_s)
            return Echo(answered=False, elapsed_s=timeout_s)
        too_big = whole and size_bytes + 28 > self.narrow.get(address, 65535)
        if address in self.reasons:
            return Echo(answered=False, reason=self.reasons[address])
        if address in self.silent or too_big:
            await asyncio.sleep(timeout_s)
            return Echo(answered=False, elapsed_s=timeout_s)
        round_trip_s = self.round_trips_s.get(address, 0.0002)
        await asyncio.sleep(min(round_trip_s, timeout_s))
        return Echo(answered=round_trip_s <= timeout_s, elapsed_s=round_trip_s, mtu=self.kernels.get(address))

    async def owners(self, address: str, interface: str, timeout_s: float, *, own: bool = False) -> list[str]:
        if self.unreadable:
            raise ProbeError(self.unreadable)
        if self.point_to_point:
            raise NoNeighboursError(interface)
        found = [] if address in self.silent else self.macs.get(address, [])
        if own or not found:
            await asyncio.sleep(timeout_s)
        return list(found)
