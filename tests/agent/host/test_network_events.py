"""What is heard of a real kernel's changes, and of those that are none."""

import asyncio
import ctypes
import errno
import os
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.agent.host.test_netlink import Namespace, attribute, bare, message

from guardian_agent.errors import ProbeError
from guardian_agent.host import NetworkEvent, network_events
from guardian_agent.host.network_events import LocalNetworkEvents

__all__ = ["bare"]

NEIGHBOUR, ADDRESS = 28, 20
CLONE_NEWNET = 0x40000000
REACHABLE, STALE, FAILED, PERMANENT, NOARP = 0x2, 0x4, 0x20, 0x80, 0x40


@pytest.fixture
def net(bare: Namespace) -> Namespace:
    """As elsewhere, and without duplicate detection, by which addresses would change some seconds later."""
    bare.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad")
    bare.ip(
        "link add up0 address 02:00:00:00:00:01 type veth peer name far0",
        "link set up0 up",
        "link set far0 up",
        "addr add 10.9.0.2/24 dev up0",
        "addr add 2001:db8:9::2/64 dev up0 nodad",
    )
    settle(bare, "up0", "far0")
    return bare


def settle(namespace: Namespace, *interfaces: str) -> None:
    """Until the kernel has told of each that it is up: it defers that, on a busy machine by a second and more."""
    deadline = time.monotonic() + 20
    for interface in interfaces:
        while namespace.run("cat", f"/sys/class/net/{interface}/operstate").strip() != "up":
            assert time.monotonic() < deadline, f"{interface} never came up"
            time.sleep(0.02)


def listening_in(namespace: Namespace) -> LocalNetworkEvents:
    """Events of that namespace: a socket stays in the one where it was made."""
    setns = ctypes.CDLL(None, use_errno=True).setns  # os.setns comes with Python 3.12
    with Path("/proc/thread-self/ns/net").open("rb") as here, Path("/run/netns", namespace.name).open("rb") as there:
        assert setns(there.fileno(), CLONE_NEWNET) == 0
        try:
            return LocalNetworkEvents()
        finally:
            assert setns(here.fileno(), CLONE_NEWNET) == 0


@asynccontextmanager
async def heard_in(namespace: Namespace) -> AsyncIterator[LocalNetworkEvents]:
    events = listening_in(namespace)
    try:
        yield events
    finally:
        await events.aclose()


async def heard(events: LocalNetworkEvents, within_s: float = 0.1) -> set[str]:
    """The kinds of all that is told until nothing more is for a while."""
    kinds = set()
    try:
        while True:
            kinds.add((await asyncio.wait_for(anext(events), within_s)).kind)
    except TimeoutError:
        return kinds


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ("link set far0 down", {"link", "address", "route"}),  # its link-local address goes with it
        ("link set up0 mtu 1400", {"link"}),
        ("link add other0 type veth peer name other1", {"link"}),
        ("addr add 10.9.0.1/24 dev up0", {"address"}),
        ("addr add 2001:db8:9::3/64 dev up0 nodad", {"address"}),
        ("addr add 2001:db8:5::3/64 dev up0 nodad", {"address", "route"}),
        ("addr del 10.9.0.2/24 dev up0", {"address", "route"}),
        ("route add 198.19.0.0/16 via 10.9.0.1", {"route"}),
        ("route add blackhole 198.19.0.0/16", {"route"}),
        ("-6 route add 2001:db8:77::/48 via 2001:db8:9::1", {"route"}),
        ("rule add to 198.19.0.0/16 prohibit", {"rule"}),
        ("-6 rule add to 2001:db8:77::/48 prohibit", {"rule"}),
        ("neigh add 10.9.0.1 lladdr 02:00:00:00:00:99 dev up0 nud permanent", {"neighbour"}),
        ("neigh add 2001:db8:9::1 lladdr 02:00:00:00:00:99 dev up0 nud permanent", {"neighbour"}),
    ],
)
async def test_each_change_is_told_as_what_it_is(net, change, kinds):
    async with heard_in(net) as events:
        await heard(events)
        net.ip(change)
        assert await heard(events) == kinds


async def test_a_link_is_told_by_its_name_and_a_neighbour_by_its_address(net):
    net.ip("link add other0 type veth peer name other1")
    async with heard_in(net) as events:
        await heard(events)
        net.ip("link del other0")
        assert await anext(events) == NetworkEvent(kind="link", interface="other0")
        await heard(events)
        net.ip("neigh add 10.9.0.1 lladdr 02:00:00:00:00:99 dev up0 nud permanent")
        assert await anext(events) == NetworkEvent(kind="neighbour", address="10.9.0.1")


async def test_what_takes_no_change_is_not_told(net):
    net.ip("neigh add 10.9.0.1 lladdr 02:00:00:00:00:99 dev up0 nud reachable")
    async with heard_in(net) as events:
        net.ip("link set up0 mtu 1400", "neigh change 10.9.0.1 lladdr 02:00:00:00:00:99 dev up0 nud stale")
        net.ip("addr change 10.9.0.2/24 dev up0 valid_lft 3600 preferred_lft 1800")
        assert await heard(events) == {"link", "address"}
        net.ip("link set up0 alias uplink", "neigh change 10.9.0.1 lladdr 02:00:00:00:00:99 dev up0 nud reachable")
        net.ip("addr change 10.9.0.2/24 dev up0 valid_lft 3000 preferred_lft 1500")  # a lease renewed
        assert await heard(events) == set()


@pytest.mark.parametrize(
    "change",
    [
        "neigh change 10.9.0.1 lladdr 02:00:00:00:00:66 dev up0 nud reachable",
        "neigh change 10.9.0.1 lladdr 02:00:00:00:00:99 dev up0 nud permanent",
        "neigh change 10.9.0.1 dev up0 nud failed",
        "neigh del 10.9.0.1 dev up0",
    ],
)
async def test_a_neighbour_that_moves_fails_is_pinned_or_forgotten_is_told(net, change):
    net.ip("neigh add 10.9.0.1 lladdr 02:00:00:00:00:99 dev up0 nud stale")
    async with heard_in(net) as events:
        net.ip("neigh change 10.9.0.1 lladdr 02:00:00:00:00:99 dev up0 nud reachable")
        await heard(events)
        net.ip(change)
        assert await heard(events) == {"neighbour"}


async def test_a_bridges_own_table_is_not_the_networks(net):
    net.ip("link add br0 type bridge", "link set br0 up", "link set far0 master br0")
    settle(net, "br0")
    async with heard_in(net) as events:
        await heard(events)
        net.run("bridge", "fdb", "add", "02:00:00:00:00:77", "dev", "far0", "master", "static")
        assert await heard(events) == set()


async def test_a_storm_is_told_in_few_words_and_what_was_lost_as_missed(net, monkeypatch):
    async with heard_in(net) as events:
        await heard(events)
        net.ip(*(f"route add 10.{i // 250 + 10}.{i % 250}.0/24 via 10.9.0.1" for i in range(4000)))
        told = []
        with pytest.raises(TimeoutError):
            while True:
                told.append(await asyncio.wait_for(anext(events), 0.1))
        assert {event.kind for event in told} == {"route", "missed"}
        assert len(told) < 100
        net.ip("link set far0 down")
        assert "link" in await heard(events)


async def test_closing_ends_who_waits_and_leaves_nothing_open():
    events = LocalNetworkEvents()
    waiting = asyncio.create_task(collect(events))
    await asyncio.sleep(0.02)
    await events.aclose()
    await events.aclose()
    assert await asyncio.wait_for(waiting, 1) == []
    assert events._kernel.fileno() == -1
    assert await collect(events) == []


async def collect(events: LocalNetworkEvents) -> list[NetworkEvent]:
    return [event async for event in events]


async def test_who_is_cancelled_while_waiting_may_listen_again():
    events = LocalNetworkEvents()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(events), 0.02)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(events), 0.02)
    await events.aclose()


# A scripted kernel


class Wire:
    """Events that hear a socket of ours instead of the kernel's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ours, self.kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        ours.setblocking(False)
        monkeypatch.setattr(network_events, "_open", lambda: ours)
        self.events = LocalNetworkEvents()

    async def hears(self, *datagrams: bytes) -> list[str]:
        for datagram in datagrams:
            self.kernel.send(datagram)
        kinds = []
        try:
            while True:
                kinds.append((await asyncio.wait_for(anext(self.events), 0.05)).kind)
        except TimeoutError:
            return kinds


@pytest.fixture
async def wire(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wire]:
    wire = Wire(monkeypatch)
    yield wire
    await wire.events.aclose()
    wire.kernel.close()


def neighbour(last: int, state: int, mac: int = 1, index: int = 1) -> bytes:
    told = attribute(1, bytes([10, 0, last // 256, last % 256])) + attribute(2, bytes([2, 0, 0, 0, 0, mac]))
    return message(NEIGHBOUR, struct.pack("=BxxxiHBB", 2, index, state, 0, 1) + told)


async def test_a_neighbour_is_told_only_when_it_changes(wire):
    assert await wire.hears(neighbour(1, STALE)) == []
    assert await wire.hears(neighbour(1, REACHABLE), neighbour(1, STALE)) == []
    assert await wire.hears(neighbour(1, FAILED)) == ["neighbour"]
    assert await wire.hears(neighbour(1, FAILED)) == []
    assert await wire.hears(neighbour(1, REACHABLE)) == ["neighbour"]
    assert await wire.hears(neighbour(1, REACHABLE, mac=2)) == ["neighbour"]
    assert await wire.hears(neighbour(2, NOARP)) == []


async def test_of_more_neighbours_than_are_remembered_only_those_that_fail_or_are_pinned_are_told(wire, monkeypatch):
    monkeypatch.setattr(network_events, "MOST_REMEMBERED", 3)
    assert await wire.hears(*(neighbour(i, STALE) for i in range(9))) == []
    assert await wire.hears(neighbour(7, STALE), neighbour(7, REACHABLE, mac=9)) == []
    assert await wire.hears(neighbour(7, FAILED)) == ["neighbour"]
    assert await wire.hears(neighbour(8, PERMANENT)) == ["neighbour"]
    assert await wire.hears(neighbour(1, STALE, mac=9)) == ["neighbour"]


async def test_a_radios_news_and_a_message_of_another_kind_are_nothing(wire):
    radio = message(16, struct.pack("=BxHiII", 0, 1, 1, 1, 0) + attribute(11, bytes(8)))
    assert await wire.hears(radio, message(92, bytes(20)), message(1)) == []


async def test_what_makes_no_sense_may_have_been_anything(wire):
    assert await wire.hears(neighbour(1, PERMANENT)) == ["neighbour"]
    assert await wire.hears(neighbour(1, PERMANENT)) == []
    for nonsense in (message(16, b"ab"), neighbour(1, STALE)[:-2], bytes(3)):
        assert await wire.hears(nonsense) == ["missed"]
    assert await wire.hears(neighbour(1, PERMANENT)) == ["neighbour"]


async def test_a_socket_that_no_longer_hears_says_so(wire, monkeypatch):
    class Broken(socket.socket):
        def recv(self, *_: object) -> bytes:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    sound = wire.events._kernel
    wire.events._kernel = Broken(sound.family, sound.type, fileno=sound.detach())
    wire.kernel.send(neighbour(1, STALE))
    with pytest.raises(ProbeError, match="no longer heard: Cannot allocate memory"):
        await anext(wire.events)


async def test_a_kernel_that_lets_nobody_hear_is_no_host_to_hear(monkeypatch):
    def refused() -> socket.socket:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(network_events, "_open", refused)
    with pytest.raises(ProbeError, match="cannot be heard: Operation not permitted"):
        LocalNetworkEvents()
