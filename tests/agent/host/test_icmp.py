"""Echo requests on a real wire: each way of coming to nothing has its reason."""

import pytest
from tests.agent.host.wire import FAR, FAR6, ROUTER, ROUTER6, Question, Wire

from guardian_agent.host import icmp

NOBODY = 65534
ROUTERS = pytest.mark.parametrize("router", [ROUTER, ROUTER6])


def test_the_checksum_is_that_of_the_rfc() -> None:
    assert icmp._checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2  # RFC 1071, 3
    assert icmp._checksum(b"\x01") == icmp._checksum(b"\x01\x00") == 0xFEFF


def test_who_is_there_answers_short_and_long_whole_or_in_pieces(wire: Wire) -> None:
    for address, whole_bytes in ((ROUTER, 1472), (FAR, 1472), (ROUTER6, 1452), (FAR6, 1452)):
        for options in ({}, {"size_bytes": 0}, {"size_bytes": whole_bytes, "whole": True}, {"size_bytes": 4000}):
            echo = wire.echo(address, **options)
            assert echo["answered"] and 0 < echo["elapsed_s"] < 0.5 and echo["mtu"] == 1500, (address, options, echo)


def test_a_link_local_address_is_asked_on_its_interface(wire: Wire) -> None:
    assert wire.echo("fe80::ff:fe00:1%up0")["answered"]


def test_silence_takes_the_whole_time_and_has_no_reason(wire: Wire) -> None:
    echo = wire.echo("10.9.0.77", 0.2)
    assert (echo["answered"], echo["reason"]) == (False, "") and 0.2 <= echo["elapsed_s"] < 0.4


def test_many_at_the_same_time_get_each_their_own_answer(wire: Wire) -> None:
    questions: list[Question] = [
        ("echo", [address, 1.0], {}) for address in (ROUTER, FAR, ROUTER6, FAR6, "10.9.0.77") for _ in range(20)
    ]
    answered = [echo["answered"] for echo in wire.ask(*questions)]
    assert answered == [True] * 80 + [False] * 20


def test_what_a_router_says_is_the_reason(wire: Wire) -> None:
    wire.ip(wire.router, "route add unreachable 10.7.0.0/24", "route add prohibit 10.6.0.0/24")
    assert wire.echo("10.7.0.7")["reason"] == f"host unreachable by {ROUTER}"
    assert wire.echo("10.6.0.7")["reason"] == f"prohibited by {ROUTER}"
    assert wire.echo("10.5.0.7")["reason"] == f"network unreachable by {ROUTER}"
    wire.ip(wire.other, "addr add 10.9.0.3/24 dev other0", f"route add default via {ROUTER}")
    wire.ip(wire.router, "route add 10.4.0.0/24 via 10.9.0.3")
    assert "routing loop" in wire.echo("10.4.0.7")["reason"]


def test_what_a_router_says_against_ipv6_is_the_reason(wire: Wire) -> None:
    wire.run(wire.router, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
    wire.ip(wire.router, "-6 route add prohibit 2001:db8:6::/48")
    assert wire.echo("2001:db8:6::7")["reason"] == f"prohibited by {ROUTER6}"
    assert wire.echo("2001:db8:5::7")["reason"] == f"no route by {ROUTER6}"


def test_what_this_host_itself_refuses_is_a_reason_and_no_exception(wire: Wire) -> None:
    wire.ip(
        wire.host,
        "route add unreachable 10.7.0.0/24",
        "route add prohibit 10.6.0.0/24",
        "route add blackhole 10.5.0.0/24",
    )
    assert "host unreachable by this host" in wire.echo("10.7.0.7")["reason"]
    assert "prohibited by this host" in wire.echo("10.6.0.7")["reason"]
    assert "blackhole" in wire.echo("10.5.0.7")["reason"]
    wire.nft(wire.host, f"table ip t {{ chain o {{ type filter hook output priority 0; ip daddr {FAR} drop; }}; }}")
    assert wire.echo(FAR)["reason"] == "dropped by this host's own packet filter"
    wire.ip(wire.host, "route del default", "-6 route del default")
    assert wire.echo("10.3.0.7")["reason"] == wire.echo("2001:db8:5::7")["reason"] == "no route"


def test_a_neighbour_that_is_not_there_is_told_once_the_kernel_gave_up(wire: Wire) -> None:
    wire.run(
        wire.host, "sysctl", "-qw", "net.ipv4.neigh.up0.retrans_time_ms=50", "net.ipv6.neigh.up0.retrans_time_ms=50"
    )
    for address in ("10.9.0.77", "2001:db8:9::77"):
        echo = wire.echo(address, 1.0)
        assert echo["reason"] == "nobody on the link answers for it, or for its gateway" and echo["elapsed_s"] < 0.5


@ROUTERS
def test_a_packet_too_long_for_the_interface_is_told_with_its_limit(wire: Wire, router: str) -> None:
    echo = wire.echo(router, size_bytes=1473, whole=True)
    assert (echo["answered"], echo["reason"], echo["mtu"]) == (False, "packet too big", 1500)


@pytest.mark.parametrize(("far", "via", "size_bytes"), [("10.7.0.7", ROUTER, 1472), ("2001:db8:7::7", ROUTER6, 1452)])
def test_a_narrow_place_on_the_way_says_its_limit_and_the_kernel_remembers_it(
    wire: Wire, far: str, via: str, size_bytes: int
) -> None:
    wire.run(wire.router, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
    wire.ip(wire.router, "link add thin mtu 1300 type veth peer name end", "link set thin up", "link set end up")
    wire.ip(wire.router, "route add 10.7.0.0/24 dev thin", "-6 route add 2001:db8:7::/64 dev thin")
    for _ in range(2):  # also when the kernel knows already
        echo = wire.echo(far, size_bytes=size_bytes, whole=True)
        assert (echo["reason"], echo["mtu"]) == (f"packet too big by {via}", 1300)
    assert wire.echo(far, 0.05)["mtu"] == 1300


@ROUTERS
def test_without_privileges_a_ping_socket_does_it_and_without_that_it_cannot_be_told(wire: Wire, router: str) -> None:
    assert wire.echo(router, uid=NOBODY).startswith("ProbeError: echo requests need CAP_NET_RAW")
    wire.run(wire.host, "sysctl", "-qw", "net.ipv4.ping_group_range=0 65535")
    assert wire.echo(router, uid=NOBODY)["answered"]
    assert not wire.echo("10.9.0.77", 0.1, uid=NOBODY)["answered"]
    assert wire.echo("10.5.0.7", uid=NOBODY)["reason"] == f"network unreachable by {ROUTER}"


@pytest.mark.parametrize("address", ["10.9.0", "hub.example", "fe80::1%nowhere", ""])
def test_what_is_no_address_cannot_be_told(wire: Wire, address: str) -> None:
    assert wire.echo(address).startswith("ProbeError: no address to send to")


class Flood:
    """A socket from which there is always something to read that is nothing to us."""

    reads = 0

    def recv(self, _bytes: int) -> bytes:
        self.reads += 1
        assert self.reads < 100_000
        return b"E" + bytes(60)

    def recvmsg(self, _bytes: int, *_: int) -> tuple[bytes, list[object], int, str]:
        return self.recv(_bytes), [], 0, ""


def test_of_a_flood_a_little_is_read_at_a_time() -> None:
    flood = Flood()
    request = icmp._Request(icmp.V4, flood, True, 56)  # type: ignore[arg-type]
    assert not request._answered() and flood.reads == 64
    assert request._refusal() is None and flood.reads == 128
