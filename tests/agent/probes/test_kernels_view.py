"""The probes of layers 1 to 3 that read the kernel, on a real one: each fault of a real link, and what is none."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.agent.host.test_netlink import Namespace, bare

from guardian_agent.errors import ProbeError
from guardian_agent.host import KnownGood
from guardian_agent.host.local import LocalHost
from guardian_agent.model import Schedule
from guardian_agent.probes import Probe
from guardian_agent.probes.l1_carrier import L1Carrier
from guardian_agent.probes.l1_errors import L1Errors
from guardian_agent.probes.l2_mtu import L2Mtu
from guardian_agent.probes.l3_addresses import L3Addresses
from guardian_agent.probes.l3_default_route import L3DefaultRoute
from guardian_agent.probes.l3_routes import L3Routes

FAMILY: tuple[type[Probe], ...] = (L1Carrier, L1Errors, L2Mtu, L3Addresses, L3DefaultRoute, L3Routes)
__all__ = ["bare"]

CLONE_NEWNET = 0x40000000
HUBS = ("198.19.0.1", "2001:db8:77::1")


@contextmanager
def inside(namespace: Namespace) -> Iterator[None]:
    """This thread's sockets are made in the namespace, and its names of interfaces are those there."""
    setns = ctypes.CDLL(None, use_errno=True).setns  # os.setns comes with Python 3.12
    with Path("/proc/thread-self/ns/net").open("rb") as here, Path("/run/netns", namespace.name).open("rb") as there:
        assert setns(there.fileno(), CLONE_NEWNET) == 0
        try:
            yield
        finally:
            assert setns(here.fileno(), CLONE_NEWNET) == 0


@pytest.fixture
def net(bare: Namespace) -> Iterator[Namespace]:
    bare.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad")
    bare.ip(
        "link set lo up",
        "link add up0 address 02:00:00:00:00:01 type veth peer name far0",
        "link set up0 up",
        "link set far0 up",
        "addr add 10.9.0.2/24 dev up0",
        "addr add 2001:db8:9::2/64 dev up0 nodad",
        "-4 route add default via 10.9.0.1 proto static",
        "-6 route add default via 2001:db8:9::1 proto static",
    )
    with inside(bare):
        yield bare


async def learnt(tmp_path: Path) -> LocalHost:
    host = LocalHost(tmp_path)
    kernel = host.netlink
    link = await kernel.link("up0")
    ways = {address: await kernel.route_to(address) for address in HUBS}
    assert link
    host.known.good = KnownGood(
        uplink="up0",
        mtu=link.mtu,
        addresses=tuple(str(address) for address in await kernel.addresses("up0") if address.lasting),
        default_routes=tuple(await kernel.default_routes()),
        routes={address: way for address, way in ways.items() if way},
    )
    return host


async def sees(host: LocalHost) -> set[str]:
    """What is wrong, apart from what a lower probe of these accounts for."""
    failing: dict[str, tuple[str, tuple[str, ...]]] = {}
    for kind in FAMILY:
        probe = kind.for_host(Schedule())
        assert probe
        try:
            reading = await probe.look(host)
        except ProbeError:
            continue
        if not reading.ok:
            issue = reading.issue_type or kind.issue_types[0]
            failing[kind.probe_id()] = issue, probe.rests_on(issue)
    return {issue for issue, rests_on in failing.values() if not failing.keys() & {*rests_on}}


@pytest.mark.parametrize(
    ("breaks", "issue"),
    [
        (["link set up0 down"], "link_down"),
        (["link set far0 down"], "link_down"),
        (["link set far0 down", "link set far0 up", "link set far0 down", "link set far0 up"], "link_flapping"),
        (["link set up0 mtu 1300"], "mtu_changed"),
        (["addr flush dev up0"], "address_missing"),
        (["addr del 10.9.0.2/24 dev up0", "addr add 10.9.0.2/32 dev up0"], "address_missing"),
        (["addr add 10.9.0.2/8 dev up0", "addr del 10.9.0.2/24 dev up0"], "address_missing"),
        (["addr del 2001:db8:9::2/64 dev up0"], "address_missing"),
        (["-4 route del default"], "route_missing"),
        (["-6 route del default"], "route_missing"),
        (["-4 route replace default via 10.9.0.7"], "route_wrong"),
        (["-6 route replace default via 2001:db8:9::7"], "route_wrong"),
        (["-4 route add blackhole 198.19.0.0/16"], "route_wrong"),
        (["-6 route add unreachable 2001:db8:77::/48"], "route_wrong"),
        (["-4 route add 128.0.0.0/1 via 10.9.0.254"], "route_wrong"),
        (["-6 route add 2000::/3 via 2001:db8:9::fe"], "route_wrong"),
        (["-4 rule add to 198.19.0.0/16 priority 100 prohibit"], "route_wrong"),
        (["-6 rule add to 2001:db8:77::/48 priority 100 blackhole"], "route_wrong"),
        (["addr add 198.19.0.1/32 dev lo"], "route_wrong"),
        (["addr add 2001:db8:77::1/128 dev lo nodad"], "route_wrong"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else None,
)
async def test_each_fault_has_its_name(net: Namespace, tmp_path: Path, breaks: list[str], issue: str) -> None:
    host = await learnt(tmp_path)
    assert await sees(host) == set()
    for command in breaks:
        net.ip(command)
    assert await sees(host) == {issue}


@pytest.mark.parametrize(
    "change",
    [
        "addr add 10.9.0.100/32 dev up0",
        "addr add 10.9.0.3/24 dev up0",
        "addr add 198.19.0.1/32 dev up0",  # an address that floats to this host
        "link add other0 type veth peer name other1",
        "-4 route add 10.44.0.0/16 via 10.9.0.9",
        "-4 route replace default via 10.9.0.1 proto static mtu 1400",
        "-4 route add default via 10.9.0.200 metric 900",
        "-4 rule add to 10.44.0.0/16 priority 100 prohibit",
    ],
)
async def test_what_changes_on_an_ordinary_host_is_no_fault(net: Namespace, tmp_path: Path, change: str) -> None:
    host = await learnt(tmp_path)
    assert await sees(host) == set()
    net.ip(change)
    assert await sees(host) == set()


async def test_what_is_mended_is_well_again(net: Namespace, tmp_path: Path) -> None:
    host = await learnt(tmp_path)
    net.ip("addr flush dev up0")
    assert await sees(host) == {"address_missing"}
    net.ip("addr add 10.9.0.2/24 dev up0", "addr add 2001:db8:9::2/64 dev up0 nodad")
    assert await sees(host) == {"route_missing"}
    net.ip("route add default via 10.9.0.1", "-6 route replace default via 2001:db8:9::1")
    assert await sees(host) == set()
