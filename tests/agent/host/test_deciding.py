"""Does the model of the kernel's decisions decide as the kernel does?"""

import pytest
from tests.agent.host.test_netlink import Namespace, bare, net  # noqa: F401 - fixtures
from tests.agent.host.test_routing import read

from guardian_agent.host import AddressEntry, RouteEntry, Routing, RuleEntry
from guardian_agent.host.deciding import Decision, best_default, covers, decide
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


def test_what_decides_is_told_with_the_way() -> None:
    rule = RuleEntry(ipv6=False, priority=32766, table=254)
    route = RouteEntry(destination="0.0.0.0/0", gateway="10.9.0.1", interface="up0")
    own = AddressEntry(interface="lo", address="10.1.1.1", prefix=32)
    now = Routing(routes=(route,), rules=(rule,), addresses=(own,))
    assert decide(now, "10.2.2.2") == Decision(rule=rule, route=route)
    assert decide(now, "10.1.1.1") == Decision(address=own)
    assert decide(now, "2001:db8::1") == Decision() and Decision().way() is None
    with pytest.raises(ValueError, match="nobody"):
        decide(now, "nobody")


def test_the_empty_network_has_every_address_in_it() -> None:
    assert covers("", "10.1.1.1") and covers("10.0.0.0/8", "10.1.1.1")
    assert not covers("10.0.0.0/8", "11.1.1.1") and not covers("::/0", "10.1.1.1")
