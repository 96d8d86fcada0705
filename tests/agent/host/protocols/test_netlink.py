import pytest

from guardian_agent.host import Address, Route

VIA = Route(interface="eth0", gateway="10.0.0.1", family="ipv4", origin="static")


def test_an_address_reads_as_ip_address_shows_it() -> None:
    assert str(Address(address="2001:db8::2", prefix=64, lasting=False)) == "2001:db8::2/64"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Route(interface="eth0", gateway="10.0.0.1", family="ipv4", origin="boot"), True),
        (Route(interface="eth0", gateway="10.0.0.1"), True),
        (Route(interface="eth1", gateway="10.0.0.1"), False),
        (Route(interface="eth0", gateway="10.0.0.9"), False),
        (Route(interface="eth0", gateway=None), False),
        (Route(interface="eth0", gateway="10.0.0.1", discards="prohibit"), False),
    ],
)
def test_a_way_is_the_same_whoever_put_it_there(other: Route, same: bool) -> None:
    assert VIA.same_way(other) == other.same_way(VIA) == same


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Route(interface="wg0", gateway=None, family="ipv4"), True),
        (Route(interface="wg0", gateway=None, family="ipv6"), False),
        (Route(interface="eth0", gateway="fe80::1", family="ipv4"), True),  # RFC 5549
        (Route(interface="eth0", gateway="fe80::1"), False),
        (Route(interface="eth0", gateway=None), True),
    ],
)
def test_a_family_is_told_or_else_the_gateways(other: Route, same: bool) -> None:
    assert VIA.same_family(other) == other.same_family(VIA) == same


@pytest.mark.parametrize(("origin", "assigned"), [("dhcp", True), ("ra", True), ("static", False), ("", False)])
def test_dhcp_and_advertisements_speak_for_the_network(origin: str, assigned: bool) -> None:
    assert Route(interface="eth0", gateway=None, origin=origin).assigned == assigned


@pytest.mark.parametrize(
    ("route", "written"),
    [
        (Route(interface="eth0", gateway="10.0.0.1"), "via 10.0.0.1 dev eth0"),
        (Route(interface="eth0", gateway=None), "dev eth0"),
        (Route(interface="", gateway=None, discards="blackhole"), "blackhole"),
    ],
)
def test_a_route_is_written_as_ip_writes_it(route: Route, written: str) -> None:
    assert str(route) == written
