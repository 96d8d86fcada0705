"""What a real kernel tells of its network as it changes, in a namespace."""

import asyncio
import contextlib
import ctypes
import os
import socket
from collections.abc import AsyncIterator

import pytest
from tests.agent.host.test_netlink import Namespace, bare, net

from guardian_agent.errors import ProbeError
from guardian_agent.host.network_events import LocalNetworkEvents
from guardian_agent.host.protocols.netlink import NetworkEvent

__all__ = ["bare", "net"]

CLONE_NEWNET = 0x40000000


def listening_in(net: Namespace) -> LocalNetworkEvents:
    """Events of that namespace: a socket stays in the one where it was made."""
    libc = ctypes.CDLL(None, use_errno=True)
    ours = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    theirs = os.open(f"/run/netns/{net.name}", os.O_RDONLY)
    try:
        assert libc.setns(theirs, CLONE_NEWNET) == 0
        return LocalNetworkEvents()
    finally:
        assert libc.setns(ours, CLONE_NEWNET) == 0
        os.close(ours)
        os.close(theirs)


@contextlib.asynccontextmanager
async def heard(net: Namespace) -> AsyncIterator[list[NetworkEvent]]:
    events, found = listening_in(net), []

    async def hear() -> None:
        async for event in events:
            found.append(event)  # noqa: PERF401 - it never ends

    task = asyncio.ensure_future(hear())
    await asyncio.sleep(0)
    yield found
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await events.aclose()


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("link set up0 mtu 1400", "link"),
        ("link set far0 down", "link"),
        ("addr del 10.9.0.2/24 dev up0", "address"),
        ("-6 addr add 2001:db8:9::7/64 dev up0 nodad", "address"),
        ("route add default via 10.9.0.1", "route"),
        ("-6 route add default via 2001:db8:9::1", "route"),
        ("rule add priority 100 prohibit", "rule"),
        ("-6 rule add priority 100 prohibit", "rule"),
    ],
)
async def test_a_change_is_told(net, command, kind):
    async with heard(net) as events:
        net.ip(command)
    assert kind in {event.kind for event in events}


async def test_a_link_is_told_once_for_each_change(net):
    async with heard(net) as events:
        net.ip("link set up0 mtu 1400")
        net.ip("link set up0 mtu 1400")
    assert [event.interface for event in events if event.kind == "link"] == ["up0"]


async def test_of_neighbours_only_those_are_told_that_failed_changed_or_were_put_in_by_hand(net):
    net.ip("neigh add 10.9.0.7 lladdr 02:00:00:00:00:07 dev up0 nud reachable")
    async with heard(net) as events:
        net.ip("neigh replace 10.9.0.7 lladdr 02:00:00:00:00:07 dev up0 nud stale")
        await asyncio.sleep(0.05)
        assert [event for event in events if event.kind == "neighbour"] == []
        net.ip("neigh replace 10.9.0.7 lladdr 02:00:00:00:00:08 dev up0 nud stale")
        net.ip("neigh replace 10.9.0.9 lladdr 02:00:00:00:00:09 dev up0 nud permanent")
        net.ip("neigh del 10.9.0.9 dev up0")
    told = [event.address for event in events if event.kind == "neighbour"]
    assert told[:2] == ["10.9.0.7", "10.9.0.9"] and set(told[2:]) == {"10.9.0.9"}


async def test_what_was_missed_is_said_to_be(monkeypatch):
    events = LocalNetworkEvents()

    async def overrun(*_: object) -> bytes:
        raise OSError(105, "No buffer space available")

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_recv", overrun)
    assert await anext(events) == NetworkEvent(kind="missed")
    await events.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_what_makes_no_sense_may_have_been_anything():
    events = LocalNetworkEvents()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    events._kernel.close()
    events._kernel = ours
    theirs.send(b"\x10\0\0")
    assert (await anext(events)).kind == "missed"
    theirs.close()
    await events.aclose()


async def test_a_kernel_that_lets_nobody_listen_is_said(monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(ProbeError, match="not permitted"):
        LocalNetworkEvents()
