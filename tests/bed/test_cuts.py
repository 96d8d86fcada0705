"""A host is cut off one way or both ways, and its link flaps."""

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
from tests.bed.commands import run
from tests.bed.fleet import CHECKOUT, Fleet
from tests.bed.host import Host
from tests.bed.router import Direction
from tests.bed.waiting import until

PORT = 4000
LISTEN = f"""
import socket
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind(("", {PORT}))
listener.settimeout(1)
print(listener.recv(100).decode())
"""
SEND = f"""
import socket, sys, time
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(8):
    sender.sendto(b"heard", (sys.argv[1], {PORT}))
    time.sleep(0.1)
"""


async def arrives(sender: Host, receiver: Host) -> bool:
    """Whether one of the datagrams that one host sends reaches the other, in a second."""
    listen, send = receiver.exec("python3", "-c", LISTEN), sender.exec("python3", "-c", SEND, receiver.address)
    return (await asyncio.gather(listen, send))[0].out == "heard\n"


@pytest.fixture
async def h1(fleet: Fleet) -> AsyncIterator[Host]:
    """`h1`, its neighbours known (what is cut one way learns of no new one), and healed in the end."""
    await fleet["h1"].must("ping", "-c1", "-W5", fleet.hub.address)
    yield fleet["h1"]
    await fleet["h1"].heal()


@pytest.mark.parametrize(
    ("direction", "host_hears", "host_is_heard"),
    [(Direction.IN, False, True), (Direction.OUT, True, False), (Direction.BOTH, False, False)],
)
async def test_a_cut_is_the_way_it_says(fleet: Fleet, h1: Host, direction, host_hears, host_is_heard) -> None:
    async def heard() -> tuple[bool, bool]:
        host, hub = await asyncio.gather(arrives(fleet.hub, h1), arrives(h1, fleet.hub))
        return host, hub

    async def as_cut() -> bool:
        return await heard() == (host_hears, host_is_heard)

    async def as_healed() -> bool:
        return await heard() == (True, True)

    await h1.cut(direction)
    await until(as_cut, "the host is cut off in that way", within_s=10)
    assert (await h1.must("cat", "/sys/class/net/host0/carrier")).strip() == "1"
    await h1.heal()
    await until(as_healed, "the host is cut off no more", within_s=10)


async def test_cuts_add_up_and_one_host_s_is_not_another_s(fleet: Fleet, h1: Host) -> None:
    await h1.cut(Direction.OUT)
    assert await h1.router.cuts(h1.interface) == ["out"]
    await h1.cut(Direction.IN)
    assert sorted(await h1.router.cuts(h1.interface)) == ["in", "out"]
    assert await h1.router.cuts(fleet["h2"].interface) == []
    await h1.heal()
    await h1.heal()
    assert await h1.router.cuts(h1.interface) == []


async def carrier_changes(host: Host) -> int:
    return int(await host.must("cat", "/sys/class/net/host0/carrier_changes"))


async def test_a_link_that_flaps_is_up_in_the_end(fleet: Fleet, h1: Host) -> None:
    before = await carrier_changes(h1)
    await h1.flap(3, down_s=0.05, up_s=0.1)
    assert await carrier_changes(h1) == before + 6

    async def served() -> bool:
        return (await fleet.hub.exec("curl", "-sS", "-m1", f"http://{h1.address}/")).ok

    await until(served, "the host is reached again", within_s=20)


async def test_a_link_flaps_for_the_length_of_a_with(fleet: Fleet, h1: Host) -> None:
    before = await carrier_changes(h1)

    async def flapped() -> bool:
        return await carrier_changes(h1) >= before + 4

    async with h1.flapping(down_s=0.05, up_s=0.1):
        await until(flapped, "it went down twice", within_s=20)
    after = await carrier_changes(h1)
    assert (await h1.must("cat", "/sys/class/net/host0/carrier")).strip() == "1"
    assert await carrier_changes(h1) == after


async def test_hosts_are_broken_by_hand_too(fleet: Fleet, h1: Host) -> None:
    async def by_hand(*argv: str) -> str:
        bed = (sys.executable, "-m", "tests.bed", "--run", fleet.run.id)
        return (await run("env", "-C", str(CHECKOUT), *bed, *argv)).check().out

    await by_hand("cut", "h1", "--direction", "in")
    (told,) = [line for line in (await by_hand("status")).splitlines() if f"{fleet.run.id}  h1 " in line]
    assert told.endswith("running  cut off: in")
    await by_hand("heal", "h1")
    await by_hand("flap", "h1", "--times", "1")
    before = await h1.boot_id()
    await by_hand("kill", "h1")
    assert "off" in await by_hand("status")
    await by_hand("start", "h1")
    assert await by_hand("exec", "h1", "cat", "/proc/sys/kernel/random/boot_id") != f"{before}\n"
    assert await by_hand("start", "h1") == ""
