"""Questions by NDP on a real wire."""

from tests.agent.host.wire import HOST6, OTHER_MAC, ROUTER6, ROUTER_MAC, Wire

from guardian_agent.host import ndp

LINK_LOCAL = "fe80::ff:fe00:1"  # the router's, from its MAC


def test_the_gateway_says_its_mac_by_its_global_and_its_link_local_address(wire: Wire) -> None:
    for address in (ROUTER6, LINK_LOCAL):
        assert wire.owners(address) == wire.owners(address, own=True) == [ROUTER_MAC]


def test_nobody_says_anything_for_an_address_that_nobody_has_nor_for_our_own(wire: Wire) -> None:
    assert wire.owners("2001:db8:9::77") == []
    assert wire.owners(HOST6, own=True) == []


def test_another_host_with_our_address_or_the_routers_is_found(wire: Wire) -> None:
    wire.ip(wire.other, f"addr add {HOST6}/64 dev other0", f"addr add {ROUTER6}/64 dev other0")
    assert wire.owners(HOST6, own=True) == [OTHER_MAC]
    assert sorted(wire.owners(ROUTER6, own=True)) == [ROUTER_MAC, OTHER_MAC]


def test_it_is_told_where_it_cannot_be_asked(wire: Wire) -> None:
    wire.run(wire.host, "sysctl", "-qw", "net.ipv6.conf.up0.disable_ipv6=1")
    assert wire.owners(ROUTER6).startswith("ProbeError: nobody could be asked")
    unprivileged = wire.ask(("owners", [ROUTER6, "up0", 0.1], {}), uid=65534)
    assert unprivileged == ["ProbeError: asking by NDP needs CAP_NET_RAW"]


def test_the_mac_is_found_behind_other_options_and_a_broken_message_has_none() -> None:
    header, other, mac = bytes(24), b"\x0e\x01" + bytes(6), b"\x02\x01" + bytes.fromhex(ROUTER_MAC.replace(":", ""))
    assert ndp._target_mac(header + other + mac) == ROUTER_MAC
    for broken in (header, header + other, header + mac[:-1], header + b"\x0e\x00" + bytes(6) + mac, b""):
        assert ndp._target_mac(broken) is None
