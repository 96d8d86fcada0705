"""Questions by ARP on a real wire, and what travels for them."""

import subprocess
import sys

from tests.agent.host.wire import FAR, HOST, OTHER_MAC, ROUTER, ROUTER_MAC, Wire

ANNOUNCE = """
import socket, time
mac, address = bytes.fromhex("020000000003"), socket.inet_aton("10.9.0.2")
sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
while True:  # a gratuitous request: whoever sends it has the address
    packet = bytes.fromhex("0001080006040001") + mac + address + bytes(6) + address
    sock.sendto(packet, ("other0", 0x0806, 0, 0, bytes.fromhex("ffffffffffff")))
    time.sleep(0.05)
"""


def claim(wire: Wire, address: str) -> None:
    """The other host takes the address too."""
    wire.ip(wire.other, f"addr add {address}/32 dev other0")


def test_the_gateway_says_its_mac(wire: Wire) -> None:
    assert wire.owners(ROUTER) == [ROUTER_MAC]
    assert wire.owners(ROUTER, own=True) == [ROUTER_MAC]


def test_nobody_says_anything_for_an_address_that_nobody_has_nor_for_our_own(wire: Wire) -> None:
    assert wire.owners("10.9.0.77") == wire.owners("10.9.0.77", own=True) == []
    assert wire.owners(HOST, own=True) == []


def test_two_that_say_to_have_it_are_both_heard_when_the_whole_time_is_waited(wire: Wire) -> None:
    claim(wire, ROUTER)
    assert sorted(wire.owners(ROUTER, own=True)) == [ROUTER_MAC, OTHER_MAC]
    assert wire.owners(ROUTER)


def test_another_host_with_our_address_is_found_and_we_do_not_find_ourselves(wire: Wire) -> None:
    claim(wire, HOST)
    assert wire.owners(HOST, own=True) == [OTHER_MAC]
    wire.ip(wire.other, f"addr del {HOST}/32 dev other0")
    # A second link on the same wire: Linux answers there too.
    wire.ip(wire.host, f"link add up1 type veth peer name up1-port netns {wire.router}", "link set up1 up")
    wire.ip(wire.router, "link set up1-port master lan up")
    assert wire.owners(HOST, own=True) == []


def test_a_host_that_asks_with_our_address_has_it_too(wire: Wire) -> None:
    claim(wire, HOST)
    wire.run(wire.other, "sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=8")  # answers nobody
    assert wire.owners(HOST, own=True) == []
    announcing = subprocess.Popen(["ip", "netns", "exec", wire.other, sys.executable, "-c", ANNOUNCE])
    try:
        assert wire.owners(HOST, 1.0, own=True) == [OTHER_MAC]
    finally:
        announcing.kill()
        announcing.wait()


def test_to_ask_for_a_duplicate_changes_nobodys_table(wire: Wire) -> None:
    wire.owners(ROUTER, own=True)
    assert HOST not in wire.run(wire.router, "ip", "neigh")
    wire.owners(ROUTER)
    assert HOST in wire.run(wire.router, "ip", "neigh")


def test_the_mac_that_the_kernel_knows_is_asked_alone_and_all_are_when_it_is_silent(wire: Wire) -> None:
    wire.echo(ROUTER)
    to_all = "ether type arp ether daddr ff:ff:ff:ff:ff:ff counter"
    chain = f"chain c {{ type filter hook egress device other-port priority 0; {to_all}; }}"
    wire.nft(wire.router, f"table netdev t {{ {chain}; }}")
    assert wire.owners(ROUTER) == [ROUTER_MAC]
    assert "packets 0" in wire.run(wire.router, "nft", "list", "ruleset")
    wire.ip(wire.host, f"neigh replace {ROUTER} lladdr 02:00:00:00:00:99 dev up0 nud permanent")
    assert wire.owners(ROUTER) == [ROUTER_MAC]
    assert "packets 1" in wire.run(wire.router, "nft", "list", "ruleset")


def test_where_arp_is_dropped_nobody_answers(wire: Wire) -> None:
    wire.nft(wire.router, "table bridge t { chain i { type filter hook input priority 0; ether type arp drop; }; }")
    assert wire.owners(ROUTER) == []


def test_it_is_told_where_it_cannot_be_asked(wire: Wire) -> None:
    assert wire.owners(ROUTER, interface="lo").startswith("NoNeighboursError")
    assert wire.owners(ROUTER, interface="none").startswith("ProbeError: none:")
    assert wire.ask(("owners", ["hub.example", "up0", 0.1], {}))[0].startswith("ProbeError: no IP address")
    assert wire.ask(("owners", [FAR, "up0", 0.1], {}), uid=65534) == ["ProbeError: asking by ARP needs CAP_NET_RAW"]
    wire.ip(wire.host, "link set up0 down")
    assert wire.owners(ROUTER) == "ProbeError: up0 is down"
    wire.ip(wire.host, "link set up0 arp off")
    assert wire.owners(ROUTER).startswith("NoNeighboursError")
