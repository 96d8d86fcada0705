import msgspec
import pytest
from tests.agent.host.test_netlink import Namespace, bare, net  # noqa: F401 - fixtures

from guardian_agent.host import KnownGood, Routing
from guardian_agent.host import routing as reader
from guardian_agent.host.deciding import best_default, decide
from guardian_agent.host.protocols.routing import DISCARDING

ASKED = (
    "10.9.0.1",
    "10.9.0.2",
    "10.5.1.1",
    "10.6.1.1",
    "10.7.1.1",
    "10.8.1.1",
    "192.0.2.1",
    "203.0.113.9",
    "2001:db8:5::1",
)


def read(net: Namespace) -> Routing:  # noqa: F811
    return msgspec.convert(net.ask(("routing",))[0], Routing)


def test_nobody_in_particular_reads_routes_rules_and_addresses(net: Namespace) -> None:  # noqa: F811
    net.ip(
        "route add default via 10.9.0.1 proto dhcp src 10.9.0.2 metric 100",
        "route add 10.5.0.0/16 via 10.9.0.3 mtu 1300 table 1200",
        "route add blackhole 10.6.0.0/16",
        "rule add from 10.2.0.0/16 fwmark 0x1/0xff iif up0 lookup 1200",
        "address add 169.254.3.3/16 dev up0",
        "address add 10.9.1.7/24 dev up0 valid_lft 600 preferred_lft 600",
    )
    entries = read(net).entries()
    assert [one for one in entries if "169.254.3.3 " not in one] == [
        "10.9.0.2/24 dev up0",
        "10.9.1.7/24 dev up0",
        "2001:db8:9::2/64 dev up0",
        "default via 10.9.0.1 dev up0 proto dhcp src 10.9.0.2 metric 100",
        "blackhole 10.6.0.0/16 proto boot",
        "10.5.0.0/16 via 10.9.0.3 dev up0 table 1200 proto boot mtu 1300",
        "rule 32765: from 10.2.0.0/16 fwmark 0x1/0xff iif up0 lookup 1200",
    ]
    assert [one.address for one in read(net).addresses if one.leased] == ["10.9.1.7"]
    kept = read(net).lasting({"up0"})
    assert "10.9.1.7" not in {one.address for one in kept.addresses}
    assert not read(net).lasting({"wan0"}).entries()[1:-1], "what discards, and rules"


@pytest.mark.parametrize(
    "command",
    [
        "route add 10.5.0.0/16 nexthop via 10.9.0.3 nexthop via 10.9.0.4",
        "route add 10.5.0.0/16 via 10.9.0.3 advmss 1000",
        "route add 10.5.0.0/16 via inet6 fe80::1 dev up0",
        "rule add not to 10.5.0.0/16 lookup 9 priority 7",
        "rule add to 10.5.0.0/16 lookup main suppress_prefixlength 0",
        "rule add ipproto tcp to 10.5.0.0/16 lookup 9",
        "-6route add 2001:db8:5::/48 via fe80::1 dev up0 expires 100",
    ],
)
def test_an_entry_with_more_than_is_kept_is_not_whole_and_not_learned(net: Namespace, command: str) -> None:  # noqa: F811
    before = read(net)
    net.ip(command)
    after = read(net)
    (entry,) = (set(after.routes) | set(after.rules)) - set(before.routes) - set(before.rules)
    assert not entry.whole
    kept = after.lasting({"up0"})
    assert entry not in kept.routes and entry not in kept.rules


def test_routes_for_some_packets_only_and_the_kernels_own_are_left_out(net: Namespace) -> None:  # noqa: F811
    before = read(net)
    net.ip("route add 10.5.0.0/16 via 10.9.0.3 tos 0x10", "route add local 10.6.0.0/16 dev lo")
    assert read(net) == before


@pytest.mark.parametrize(
    "commands",
    [
        [],
        ["route add default via 10.9.0.1"],
        ["route add default via 10.9.0.1", "route add blackhole 10.6.0.0/16", "route add prohibit 10.7.0.0/16"],
        ["route add default via 10.9.0.1 metric 9", "route add default via 10.9.0.3 metric 5"],
        ["route add 0.0.0.0/1 via 10.9.0.3", "route add 128.0.0.0/1 via 10.9.0.4", "route add default via 10.9.0.1"],
        ["route add default via 10.9.0.1", "rule add to 10.5.0.0/16 prohibit", "rule add to 10.6.0.0/16 blackhole"],
        ["route add default via 10.9.0.1", "route add default via 10.9.0.3 table 9", "rule add lookup 9 priority 9"],
        [
            "route add default via 10.9.0.1",
            "route add default via 10.9.0.3 table 9",
            "route add throw 10.5.0.0/16 table 9",
            "rule add lookup 9 priority 9",
            "rule add fwmark 1 unreachable priority 3",
            "rule add from 10.44.0.0/16 blackhole priority 4",
        ],
        ["route add default via 10.9.0.1", "address add 10.5.1.1/32 dev lo", "address add 10.6.1.1/8 dev up0"],
        ["-6route add default via 2001:db8:9::1", "-6rule add to 2001:db8:5::/48 prohibit"],
    ],
)
def test_the_model_decides_as_the_kernel_does(net: Namespace, commands: list[str]) -> None:  # noqa: F811
    net.ip("link set lo up", *commands)
    now = read(net)
    ways = net.ask(*(("route_to", address) for address in ASKED))
    for address, way in zip(ASKED, ways, strict=True):
        modelled = decide(now, address).way()
        if modelled is not None and modelled.discards in DISCARDING and way is not None and ":" in address:
            assert way["discards"], address
            continue
        told = None if modelled is None else (modelled.interface, modelled.gateway, modelled.discards)
        assert told == (None if way is None else (way["interface"], way["gateway"], way["discards"])), address
    best, default = best_default(now, ipv6=False), net.ask(("default_route",))[0]
    if best is not None:
        assert default is not None and default["gateway"] == best.gateway


async def test_a_router_with_thousands_of_routes_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST", 1)
    with pytest.raises(Exception, match="more than 1 routes, rules or addresses"):
        await reader.read_routing()


def test_what_was_known_before_there_was_routing_is_still_read() -> None:
    known = msgspec.convert({"uplink": "eth0", "mtu": 1500}, KnownGood)
    assert known.routing is None and known.uplink == "eth0"
