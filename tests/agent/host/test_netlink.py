"""What the kernel is asked, and what is made of its answers: a real one in namespaces, a scripted one for its bad days.

The namespaces need root; the questions in them are asked by nobody (uid 65534).
"""

import asyncio
import errno
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host import rtnetlink
from guardian_agent.host.netlink import LocalNetlink

DONE, ERROR, OVERRUN, ADDRESS, LINK = 3, 2, 4, 20, 16
MULTI, INTERRUPTED = 0x2, 0x10
NOBODY = 65534
LOOPBACK = 1

CHILD = """
import asyncio, json, os, sys
import msgspec
from guardian_agent.errors import ProbeError
from guardian_agent.host.netlink import LocalNetlink

async def look(question, *arguments):
    try:
        return msgspec.to_builtins(await getattr(LocalNetlink(), question)(*arguments))
    except ProbeError as error:
        return str(error)

async def main():
    return [await look(*question) for question in json.loads(sys.argv[1])]

os.setgroups([])
os.setuid(int(sys.argv[2]))
print(json.dumps(asyncio.run(main())))
"""


class Namespace:
    """A network namespace with the veth pair `up0` (02:00:00:00:00:01) and `far0`, both up."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ip(self, *commands: str) -> None:
        """Runs `ip` commands. One may begin with -4 or -6, where `ip` would guess another family from the words."""
        families: dict[str, list[str]] = {"": [], "-4": [], "-6": []}
        for command in commands:
            family = command[:2] if command.startswith("-") else ""
            families[family].append(command.removeprefix(family))
        for family, lines in families.items():
            options = [family] if family else []
            batch = "\n".join([*lines, ""])
            subprocess.run(["ip", *options, "-n", self.name, "-batch", "-"], input=batch, text=True, check=True)

    def run(self, *command: str) -> str:
        inside = ["ip", "netns", "exec", self.name, *command]
        return subprocess.run(inside, check=True, stdout=subprocess.PIPE, text=True).stdout

    def ask(self, *questions: tuple[str, ...]) -> list:
        return json.loads(self.run(sys.executable, "-c", CHILD, json.dumps(questions), str(NOBODY)))


@pytest.fixture
def bare() -> Iterator[Namespace]:
    if os.geteuid() != 0:
        pytest.skip("makes network namespaces, so needs root")
    namespace = Namespace(f"guardian-netlink-{os.getpid()}")
    subprocess.run(["ip", "netns", "add", namespace.name], check=True)
    yield namespace
    subprocess.run(["ip", "netns", "del", namespace.name], check=True)


@pytest.fixture
def net(bare: Namespace) -> Namespace:
    bare.ip(
        "link add up0 address 02:00:00:00:00:01 type veth peer name far0",
        "link set up0 up",
        "link set far0 up",
        "addr add 10.9.0.2/24 dev up0",
        "addr add 2001:db8:9::2/64 dev up0 nodad",
    )
    return bare


def shown(addresses: list) -> list[str]:
    """Addresses as ADDRESS/PREFIX."""
    return [f"{one['address']}/{one['prefix']}" for one in addresses]


def way(interface: str, gateway: str | None, discards: str = "") -> dict[str, object]:
    return {"interface": interface, "gateway": gateway, "discards": discards}


def states(links: list) -> list[tuple[str, bool, bool]]:
    """Name, administrative state and carrier of each link."""
    return [(link["name"], link["admin_up"], link["carrier"]) for link in links]


def plain(answer: object) -> object:
    """A route as `way` has it, without whose it is."""
    if not isinstance(answer, dict):
        return answer
    return way(answer["interface"], answer["gateway"], answer["discards"])


def ask_route(net: Namespace) -> object:
    return plain(net.ask(("default_route",))[0])


# In namespaces


def test_an_empty_namespace_has_no_route_and_no_addresses(bare):
    route, addresses, link = bare.ask(("default_route",), ("addresses", "lo"), ("link", "lo"))
    assert (route, addresses, states([link])) == (None, [], [("lo", False, True)])


def test_a_link_tells_its_carrier_from_its_admin_state(net):
    assert states(net.ask(("link", "up0"))) == [("up0", True, True)]
    net.ip("link set far0 down")
    assert states(net.ask(("link", "up0"))) == [("up0", True, False)]
    net.ip("link set up0 down")
    assert states(net.ask(("link", "up0"))) == [("up0", False, False)]


def test_a_link_is_found_by_its_alternative_names(net):
    net.ip("link property add dev up0 altname short altname a-name-of-more-than-15-characters")
    assert [link["name"] for link in net.ask(("link", "short"), ("link", "a-name-of-more-than-15-characters"))] == [
        "up0",
        "up0",
    ]


def test_the_default_route_is_the_one_with_the_lowest_metric(net):
    net.ip("route add default via 10.9.0.7 metric 700", "route add default via 10.9.0.5 metric 50")
    assert ask_route(net) == way("up0", "10.9.0.5")
    net.ip("route add default via 10.9.0.1")  # without one it is 0
    assert ask_route(net) == way("up0", "10.9.0.1")


def test_ipv4_comes_before_ipv6(net):
    net.ip("-6 route add default via 2001:db8:9::1 metric 1")
    assert ask_route(net) == way("up0", "2001:db8:9::1")
    net.ip("route add default via 10.9.0.1 metric 4000")
    assert ask_route(net) == way("up0", "10.9.0.1")


@pytest.mark.parametrize(
    ("route", "gateway"),
    [
        ("route add default dev up0", None),
        ("-6 route add default dev up0", None),
        ("-4 route add default via inet6 fe80::77 dev up0", "fe80::77"),
        ("route add default nexthop via 10.9.0.3 dev up0 weight 1 nexthop via 10.9.0.4 dev up0 weight 9", "10.9.0.3"),
        ("-6 route add default nexthop via 2001:db8:9::3 nexthop via 2001:db8:9::4", "2001:db8:9::3"),
        ("-4 route add default nexthop via inet6 fe80::3 dev up0 nexthop via 10.9.0.4 dev up0", "fe80::3"),
    ],
)
def test_a_default_route_may_have_no_gateway_one_of_the_other_family_or_several(net, route, gateway):
    net.ip(route)
    assert ask_route(net) == way("up0", gateway)


@pytest.mark.parametrize(
    "route",
    [
        "route add default via 10.9.0.1 table 100",
        "route add default via 10.9.0.1 table 7000",
        "route add default via 10.9.0.1 tos 0x10",
        "route add unreachable default metric 9",
        "-6 route add blackhole default metric 9",
        "-6 route add default from 2001:db8:9::/64 via 2001:db8:9::1",
        "route add 0.0.0.0/1 via 10.9.0.1",
        "-6 route add ::/1 via 2001:db8:9::1",
    ],
)
def test_routes_that_do_not_carry_everything_are_no_default_route(net, route):
    net.ip(route)
    assert ask_route(net) is None


def test_a_next_hop_object_is_resolved_or_said_to_be_unknown(net):
    net.ip("nexthop add id 7 via 10.9.0.6 dev up0", "route add default nhid 7")
    assert ask_route(net) == way("up0", "10.9.0.6")
    net.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/nexthop_compat_mode")
    assert ask_route(net) == ("the kernel names no interface for the default route; is net.ipv4.nexthop_compat_mode 0?")


def test_the_default_route_is_found_among_thousands(net):
    net.ip(*(f"route add 10.{i // 250 + 10}.{i % 250}.0/24 via 10.9.0.1" for i in range(5000)))
    assert ask_route(net) is None
    net.ip("route add default via 10.9.0.1")
    assert ask_route(net) == way("up0", "10.9.0.1")


@pytest.mark.parametrize("address", ["10.9.0.1", "2001:db8:9::1", "fe80::1"])
@pytest.mark.parametrize(
    ("entry", "mac", "state"),
    [
        ("lladdr 02:00:00:00:00:99 nud permanent", "02:00:00:00:00:99", "permanent"),
        ("lladdr 02:00:00:00:00:99 nud reachable", "02:00:00:00:00:99", "reachable"),
        ("lladdr 02:00:00:00:00:99 nud stale", "02:00:00:00:00:99", "stale"),
        ("nud failed", None, "failed"),
        ("nud noarp lladdr 02:00:00:00:00:99", "02:00:00:00:00:99", "noarp"),
    ],
)
def test_a_neighbour_has_the_state_the_kernel_gave_it(net, address, entry, mac, state):
    net.ip(f"neigh replace {address} dev up0 {entry}")
    assert net.ask(("neighbour", address, "up0"), ("neighbour", address, "far0")) == [
        {"address": address, "mac": mac, "state": state},
        None,
    ]


def test_addresses_leave_out_those_of_the_link_and_of_other_interfaces(net):
    net.ip(
        "addr add 10.9.0.3/32 dev up0",
        "addr add 172.16.0.1 peer 172.16.0.2/32 dev up0",
        "addr add 169.254.7.7/16 dev up0",
        "addr add 10.8.0.1/24 dev far0",
    )
    assert [shown(one) for one in net.ask(("addresses", "up0"), ("addresses", "far0"))] == [
        ["10.9.0.2/24", "10.9.0.3/32", "172.16.0.1/32", "2001:db8:9::2/64"],
        ["10.8.0.1/24"],
    ]


# On loopback, without root


async def test_loopback_is_a_link_with_its_addresses():
    kernel = LocalNetlink()
    lo = await kernel.link("lo")
    assert lo is not None and (lo.admin_up, lo.carrier, lo.mac) == (True, True, None)
    assert "127.0.0.1/8" in [str(one) for one in await kernel.addresses("lo")]
    assert await kernel.neighbour("127.0.0.2", "lo") is None
    kernel.close()


@pytest.mark.parametrize("name", ["no-such-link0", "", "x" * 16, "x" * 128, "x" * 1000, "é\udc80"])
async def test_what_does_not_exist_is_none_and_has_nothing(name):
    kernel = LocalNetlink()
    assert await kernel.link(name) is None
    assert await kernel.addresses(name) == []
    assert await kernel.neighbour("127.0.0.2", name) is None


@pytest.mark.parametrize("address", ["", "localhost", "10.0.0", "fe80::1%lo", "::g"])
async def test_a_neighbour_has_an_ip_address(address):
    with pytest.raises(ProbeError, match="no IP address"):
        await LocalNetlink().neighbour(address, "lo")


async def test_looks_at_the_same_time_get_their_own_answers():
    kernel = LocalNetlink()
    looks = [(kernel.link("lo"), kernel.addresses("lo"), kernel.link("none0")) for _ in range(50)]
    answers = await asyncio.gather(*(look for group in looks for look in group))
    assert answers == [*await asyncio.gather(kernel.link("lo"), kernel.addresses("lo"), kernel.link("none0"))] * 50


def open_files() -> list[Path]:
    return sorted(Path("/proc/self/fd").iterdir())


async def test_no_socket_stays_open():
    before = open_files()
    await LocalNetlink().addresses("lo")
    assert open_files() == before


# A scripted kernel

Script = Callable[..., list[socket.socket]]


def message(kind: int, payload: bytes = b"", flags: int = 0) -> bytes:
    padding = bytes(-len(payload) % 4)
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, 0, 0) + payload + padding


def attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def link(name: bytes = b"lo", flags: int = 0x1, carrier: bytes | None = None) -> bytes:
    header = struct.pack("=BxHiII", 0, 0, LOOPBACK, flags, 0)
    return message(LINK, header + attribute(3, name + b"\0") + (attribute(33, carrier) if carrier is not None else b""))


def address(last: int, flags: int = MULTI) -> bytes:
    return message(ADDRESS, struct.pack("=BBBBI", 2, 8, 0, 0, LOOPBACK) + attribute(2, bytes([10, 0, 0, last])), flags)


def default(
    *, interface: int = LOOPBACK, table: int = 254, long_table: int | None = None, gateway: bytes | None = None
) -> bytes:
    payload = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, table, 3, 0, 1, 0) + attribute(4, struct.pack("=I", interface))
    if long_table is not None:
        payload += attribute(15, struct.pack("=I", long_table))
    return message(24, payload + (b"" if gateway is None else attribute(5, gateway)), MULTI)


def end(code: int = 0, flags: int = MULTI) -> bytes:
    return message(DONE, struct.pack("=i", code), flags)


def refusal(code: int) -> bytes:
    return message(ERROR, struct.pack("=i", -code) + bytes(16))


class Overrun(socket.socket):
    def recvmsg(self, *_: object) -> tuple:
        raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """`script(answers, answers …)`: each next socket finds those datagrams waiting; None is an overrun socket.

    Returns the kernel's ends of the sockets.
    """
    ends: list[socket.socket] = []

    def play(*tries: list[bytes] | None) -> list[socket.socket]:
        ready = []
        for answers in tries:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            ends.extend((ours, theirs))
            ours.setblocking(False)
            for datagram in answers or []:
                theirs.send(datagram)
            ready.append(Overrun(ours.family, ours.type, fileno=ours.detach()) if answers is None else ours)
        waiting = iter(ready)
        monkeypatch.setattr(rtnetlink, "open_socket", lambda: next(waiting))
        ends.extend(ready)
        return ends[1 : 2 * len(tries) : 2]

    yield play
    for each in ends:
        each.close()


@pytest.mark.parametrize(
    ("flags", "carrier", "expected"),
    [(0x1, b"\1", True), (0x10001, b"\0", False), (0x10001, None, True), (0x1, None, False)],
)
async def test_the_carrier_is_the_attribute_or_else_the_flag(script, flags, carrier, expected):
    script([link(flags=flags, carrier=carrier)])
    lo = await LocalNetlink().link("lo")
    assert lo is not None and (lo.admin_up, lo.carrier) == (True, expected)


@pytest.mark.parametrize(
    "spoilt",
    [
        [address(1) + address(9, MULTI | INTERRUPTED), end()],
        [address(1), address(9), end(flags=MULTI | INTERRUPTED)],
        [address(1), message(OVERRUN)],
        [address(1), end(-errno.EAGAIN)],
        [refusal(errno.EBUSY)],
        [address(1), address(9)[:-1]],
        [address(1)[:-4]],
        [struct.pack("=IHHII", 4, ADDRESS, MULTI, 0, 0)],
        None,
    ],
    ids=["interrupted", "interrupted at the end", "overrun", "put off", "busy", "cut", "cut2", "short", "ENOBUFS"],
)
async def test_a_spoilt_answer_is_asked_for_again_and_leaves_nothing_behind(script, spoilt):
    script([link()], spoilt, [address(2) + address(3), message(1) + address(4), end()])
    assert [str(one) for one in await LocalNetlink().addresses("lo")] == ["10.0.0.2/8", "10.0.0.3/8", "10.0.0.4/8"]


async def test_an_answer_without_room_gets_more(script, monkeypatch):
    monkeypatch.setattr(rtnetlink, "ROOM_BYTES", (16, 20, 4096))
    requests = script(*[[link()]] * 3)
    assert await LocalNetlink().link("lo") is not None
    assert all(b"lo\0" in each.recv(4096) for each in requests)


async def test_a_dump_that_is_cut_between_two_messages_is_not_taken_for_whole(script, monkeypatch):
    monkeypatch.setattr(rtnetlink, "ROOM_BYTES", (len(address(1)), 4096))
    parts = [address(1) + address(2), end()]
    script([link()], [link()], parts, parts)
    assert [str(one) for one in await LocalNetlink().addresses("lo")] == ["10.0.0.1/8", "10.0.0.2/8"]


@pytest.mark.parametrize("spoilt", [[address(1, MULTI | INTERRUPTED), end()], None])
async def test_an_answer_that_is_always_spoilt_is_no_reading(script, spoilt):
    script([link()], *[spoilt] * 5)
    with pytest.raises(ProbeError, match="5 times in a row, the answer"):
        await LocalNetlink().addresses("lo")


async def test_a_refusal_is_told_in_the_kernels_words(script):
    script([refusal(errno.EPERM)])
    with pytest.raises(ProbeError, match=r"^rtnetlink: Operation not permitted$"):
        await LocalNetlink().link("lo")


async def test_a_dump_that_fails_at_its_end_is_no_reading(script):
    script([link()], [address(1), end(-errno.EMSGSIZE)])
    with pytest.raises(ProbeError, match="Message too long"):
        await LocalNetlink().addresses("lo")


@pytest.mark.parametrize("nonsense", [b"", bytes(4), struct.pack("=BxHiII", 0, 0, 1, 1, 0)])
async def test_an_answer_that_makes_no_sense_is_no_reading(script, nonsense):
    script([message(LINK, nonsense)])
    with pytest.raises(ProbeError, match="makes no sense"):
        await LocalNetlink().link("lo")


@pytest.mark.parametrize("begun", [[], [address(1)]])
async def test_a_silent_kernel_is_no_reading_and_does_not_block(script, monkeypatch, begun):
    monkeypatch.setattr(rtnetlink, "TIMEOUT_S", 0.05)
    script([link()], begun)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.005)
            turns += 1

    async with asyncio.TaskGroup() as group:
        rest = group.create_task(others())
        with pytest.raises(ProbeError, match=r"no answer within 0\.05 s"):
            await LocalNetlink().addresses("lo")
        rest.cancel()
    assert turns >= 3


async def test_a_late_answer_is_waited_for(script):
    (kernel,) = script([])
    asyncio.get_running_loop().call_later(0.02, kernel.send, link())
    assert await LocalNetlink().link("lo") is not None


async def test_a_long_dump_lets_others_run_between_its_parts(script):
    script([link()], [*(address(i) for i in range(5)), end()])
    look = asyncio.create_task(LocalNetlink().addresses("lo"))
    for _ in range(5):
        await asyncio.sleep(0)
        assert not look.done()
    assert len(await look) == 5


async def test_a_cancelled_look_closes_its_socket_and_leaves_the_loop(script, monkeypatch):
    (kernel,) = script([])
    opened = rtnetlink.open_socket()
    descriptor = opened.fileno()
    monkeypatch.setattr(rtnetlink, "open_socket", lambda: opened)
    look = asyncio.create_task(LocalNetlink().link("lo"))
    await asyncio.sleep(0.01)
    look.cancel()
    with pytest.raises(asyncio.CancelledError):
        await look
    assert opened.fileno() == -1
    assert not asyncio.get_running_loop().remove_reader(descriptor)
    with pytest.raises(ConnectionRefusedError):
        kernel.send(link())


async def test_a_route_over_an_interface_that_has_just_gone_is_no_reading(script):
    script([default(interface=0x7FFFFFFF), end()])
    with pytest.raises(ProbeError, match="interface 2147483647 of the default route has just gone"):
        await LocalNetlink().default_route()


async def test_answers_of_an_older_kernel_are_picked_over(script):
    other = message(ADDRESS, struct.pack("=BBBBI", 2, 8, 0, 0, LOOPBACK + 1) + attribute(2, bytes(4)), MULTI)
    strange = message(ADDRESS, struct.pack("=BBBBI", 21, 8, 0, 0, LOOPBACK) + attribute(2, bytes(4)), MULTI)
    script([link()], [other + strange + address(5), end()])
    assert [str(one) for one in await LocalNetlink().addresses("lo")] == ["10.0.0.5/8"]
    script([default(table=100) + default(table=252, long_table=7000), end()], [default(), end()])
    assert await LocalNetlink().default_route() is None  # the last answers the question about IPv6


async def test_a_route_that_makes_no_sense_is_no_reading(script):
    script([default(gateway=bytes(3)), end()])
    with pytest.raises(ProbeError, match="makes no sense"):
        await LocalNetlink().default_route()
