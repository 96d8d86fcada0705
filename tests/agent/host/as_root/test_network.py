"""Against the kernel itself, in a network namespace of its own."""

import socket
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.agent.host.as_root.own_network import new_network

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host import RouteEntry, Routing
from guardian_agent.host.as_root.network import do
from guardian_agent.host.netlink import LocalNetlink
from guardian_agent.host.operations import (
    AddAddress,
    AddRoute,
    AddRule,
    DeleteAddress,
    DeleteNeighbour,
    DeleteRoute,
    DeleteRule,
    SetLink,
    SetLinkMtu,
    SetNeighbour,
)

KINDS: list[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = [
    ("addresses", AddAddress, DeleteAddress),
    ("routes", AddRoute, DeleteRoute),
    ("rules", AddRule, DeleteRule),
]
MAC, GATEWAY = "02:00:00:00:00:09", "10.9.0.1"


def ip(*commands: str) -> None:
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)


@pytest.fixture(autouse=True)
def namespace() -> Iterator[None]:
    """It has `up0`, which has an address of each family."""
    with new_network():
        ip(
            "link add up0 type veth peer name far0",
            "link set up0 addrgenmode none",
            "link set far0 addrgenmode none",
        )
        ip("link set up0 up", "link set far0 up")
        ip("address add 10.9.0.2/24 dev up0", "address add 2001:db8:9::2/64 dev up0 nodad")
        yield


async def snapshot() -> Routing:
    return await LocalNetlink().routing()


@pytest.mark.parametrize(
    "typed",
    [
        "route add default via 10.9.0.1 dev up0 proto static metric 5 src 10.9.0.2",
        "route add default via 10.9.0.1 dev up0",
        "route add 10.5.0.0/16 via 10.77.0.1 dev up0 onlink mtu 1300 table 1200 proto 77",
        "route add 10.8.0.0/16 dev up0 scope link",
        "route add blackhole 10.6.0.0/16",
        "route add prohibit 10.7.0.0/16 metric 7",
        "route add unreachable 10.8.0.0/16 table 9",
        "route add throw 10.8.0.0/16",
        "-6 route add default via 2001:db8:9::1",
        "-6 route add 2001:db8:5::/48 via fe80::1 dev up0 metric 7 mtu 1300 table 1000",
        "-6 route add blackhole 2001:db8:6::/48",
        "rule add to 10.1.0.0/16 priority 100 prohibit",
        "rule add from 10.2.0.0/16 fwmark 0x1/0xff iif up0 lookup 1200",
        "rule add oif up0 priority 5 blackhole",
        "-6 rule add to 2001:db8:1::/48 lookup 7 priority 12",
        "address add 10.10.0.1/8 dev up0 noprefixroute",
        "address add 10.11.0.1/32 dev lo",
        "address add 10.12.0.1 peer 10.12.0.2/32 dev up0",
        "address add 10.9.0.77/24 brd + dev up0 label up0:1",
        "-6 address add 2001:db8:9::7/64 dev up0 nodad",
    ],
)
async def test_each_entry_is_taken_away_and_put_back_exactly_as_it_was(typed: str) -> None:
    before = await snapshot()
    ip(typed)
    there = await snapshot()
    word = typed.removeprefix("-6 ").partition(" ")[0]
    name, add, delete = next(kind for kind in KINDS if kind[0].startswith(word))
    (entry,) = set(getattr(there, name)) - set(getattr(before, name))
    for _ in range(2):  # what is so already is fine
        await do(delete(entry))
    assert entry not in getattr(await snapshot(), name)
    for _ in range(2):
        await do(add(entry))
    again = await snapshot()
    assert getattr(again, name) == getattr(there, name)
    await do(delete(entry))
    assert getattr(await snapshot(), name) == getattr(before, name)


async def test_another_route_in_its_place_is_an_error_and_so_is_a_gateway_out_of_reach() -> None:
    ip("route add 10.55.0.0/16 via 10.9.0.7")
    with pytest.raises(OperationError, match="another route is in its place"):
        await do(AddRoute(RouteEntry(destination="10.55.0.0/16", gateway="10.9.0.8", interface="up0")))
    with pytest.raises(OperationError, match="unreachable"):
        await do(AddRoute(RouteEntry(destination="10.44.0.0/16", gateway="99.9.9.9", interface="up0")))


async def test_links_go_down_and_up_and_get_another_mtu() -> None:
    await do(SetLinkMtu("up0", 1300))
    link = await LocalNetlink().link("up0")
    assert link is not None and link.mtu == 1300
    with pytest.raises(RefusedOperationError, match="has a carrier"):
        await do(SetLink("up0", up=False, unless_carrier=True))
    for up in (False, True):
        await do(SetLink("up0", up=up))
        await do(SetLink("up0", up=up))
        link = await LocalNetlink().link("up0")
        assert link is not None and link.admin_up == up
    ip("link set far0 down")
    await do(SetLink("up0", up=False, unless_carrier=True))


async def test_what_is_to_happen_to_an_interface_that_is_not_there_is_refused() -> None:
    for operation in (SetLink("nope", up=True), SetLinkMtu("nope", 1500), DeleteNeighbour("nope", GATEWAY)):
        with pytest.raises(RefusedOperationError, match="there is no interface nope"):
            await do(operation)
    await do(DeleteRoute(RouteEntry(destination="10.55.0.0/16", gateway="10.9.0.8", interface="nope")))


@pytest.mark.parametrize("address", [GATEWAY, "fe80::9"])
async def test_a_neighbour_is_pinned_let_go_and_forgotten(address: str) -> None:
    for permanent, state in ((True, "permanent"), (False, "stale")):
        await do(SetNeighbour("up0", address, MAC, permanent))
        entry = await LocalNetlink().neighbour(address, "up0")
        assert entry is not None and (entry.mac, entry.state) == (MAC, state)
    for _ in range(2):
        await do(DeleteNeighbour("up0", address))
    assert await LocalNetlink().neighbour(address, "up0") is None


@pytest.mark.parametrize(
    "entry",
    [
        RouteEntry(destination="10.0.0.0/8", gateway="nobody", interface="up0"),
        RouteEntry(destination="10.0.0.0/8", interface="up0", table=-1),
        RouteEntry(destination="10.0.0.1/8", interface="up0"),
        RouteEntry(destination="10.0.0.0/8", kind="local", interface="up0"),
    ],
)
async def test_what_makes_no_sense_is_an_error_and_changes_nothing(entry: RouteEntry) -> None:
    before = await snapshot()
    with pytest.raises(OperationError):
        await do(AddRoute(entry))
    assert await snapshot() == before


def test_the_namespace_is_not_the_machines_own() -> None:
    assert {name for _, name in socket.if_nameindex()} == {"lo", "up0", "far0"}
