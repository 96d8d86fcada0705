import pytest

from guardian_agent.host import AddressEntry, RouteEntry, Routing, RuleEntry


@pytest.mark.parametrize(
    ("entry", "typed"),
    [
        (
            RouteEntry(destination="0.0.0.0/0", gateway="10.9.0.1", interface="up0"),
            "default via 10.9.0.1 dev up0 proto static",
        ),
        (RouteEntry(destination="10.0.0.0/8", kind="blackhole", protocol=77), "blackhole 10.0.0.0/8 proto 77"),
        (
            RouteEntry(destination="10.0.0.0/8", interface="up0", table=9, scope=253, metric=5, mtu=1300, onlink=True),
            "10.0.0.0/8 dev up0 table 9 proto static scope link metric 5 mtu 1300 onlink",
        ),
        (RuleEntry(ipv6=False, priority=7, table=9, to="10.0.0.0/8"), "7: from all to 10.0.0.0/8 lookup 9"),
        (
            RuleEntry(
                ipv6=True, priority=7, action="prohibit", source="2001:db8::/32", mark=1, mask=255, incoming="up0"
            ),
            "7: from 2001:db8::/32 fwmark 0x1/0xff iif up0 prohibit",
        ),
        (AddressEntry(interface="up0", address="10.9.0.2", prefix=24), "10.9.0.2/24 dev up0"),
        (
            AddressEntry(interface="up0", address="10.9.0.2", prefix=32, peer="10.9.0.1"),
            "10.9.0.2 peer 10.9.0.1/32 dev up0",
        ),
    ],
)
def test_an_entry_reads_as_its_tool_writes_it(entry: object, typed: str) -> None:
    assert str(entry) == typed


def test_an_address_is_in_its_own_network_or_its_peers() -> None:
    assert AddressEntry(interface="up0", address="10.9.0.2", prefix=24).network == "10.9.0.0/24"
    assert AddressEntry(interface="up0", address="10.9.0.2", prefix=32, peer="10.9.0.1").network == "10.9.0.1/32"


@pytest.mark.parametrize("what", [{"source": "10.0.0.0/8"}, {"mark": 1}, {"incoming": "up0"}, {"whole": False}])
def test_a_rule_for_some_packets_only_is_selective(what: dict[str, object]) -> None:
    assert RuleEntry(ipv6=False, priority=7, **what).is_selective  # type: ignore[arg-type]
    assert not RuleEntry(ipv6=False, priority=7, to="10.0.0.0/8").is_selective


def test_what_lasts_is_of_the_interfaces_that_matter_and_not_for_a_time() -> None:
    kept = RouteEntry(destination="10.0.0.0/8", interface="up0")
    discards = RouteEntry(destination="10.1.0.0/16", kind="blackhole")
    others = (
        RouteEntry(destination="10.2.0.0/16", interface="docker0"),
        RouteEntry(destination="10.3.0.0/16", interface="up0", whole=False),
        RouteEntry(destination="10.4.0.0/16", interface="up0", protocol=9),
    )
    leased = AddressEntry(interface="up0", address="10.9.0.2", prefix=24, leased=True)
    home = AddressEntry(interface="lo", address="127.0.0.1", prefix=8)
    rule, strange = RuleEntry(ipv6=False, priority=7), RuleEntry(ipv6=False, priority=8, whole=False)
    all_of_it = Routing(routes=(kept, *others, discards), rules=(rule, strange), addresses=(leased, home))
    assert all_of_it.lasting({"up0"}) == Routing(routes=(kept, discards), rules=(rule,), addresses=(home,))
