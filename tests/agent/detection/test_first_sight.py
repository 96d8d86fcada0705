import msgspec
import pytest
from tests.agent.fake_host import FakeHost

from guardian_agent.detection.first_sight import Interests, name_servers, sight
from guardian_agent.detection.learning import differences
from guardian_agent.errors import ProbeError
from guardian_agent.host import Address, KnownGood, Route
from guardian_agent.host.name_files import KeptFile
from guardian_agent.model import Component, Releases


async def test_passing_addresses_are_not_kept() -> None:
    host = FakeHost()
    host.netlink.own["host0"].append(Address(address="2001:db8::77", prefix=64, lasting=False))
    assert (await sight(host, Interests())).addresses == ("198.18.0.2/16",)


async def test_only_who_answers_beyond_the_link_is_upstream() -> None:
    host = FakeHost()
    host.netlink.routes["198.18.0.1"] = Route(interface="host0", gateway=None)
    host.packets.silent.add("198.19.0.9")
    seen = await sight(host, Interests(reached=("198.19.0.2", "198.19.0.9", "127.0.0.1")))
    assert seen.upstream == ("198.19.0.2",) and seen.routes.keys() == {"198.18.0.1", "198.19.0.2", "198.19.0.9"}


async def test_a_way_that_leads_nowhere_is_not_kept_as_good() -> None:
    host = FakeHost()
    host.netlink.routes["198.19.0.2"] = Route(interface="", gateway=None, discards="blackhole")
    assert "198.19.0.2" not in (await sight(host, Interests(reached=("198.19.0.2",)))).routes


async def test_a_host_without_a_default_route_has_no_network_to_compare_with() -> None:
    host = FakeHost()
    host.netlink.route = None
    seen = await sight(host, Interests())
    assert seen.uplink == "" and seen.addresses == ()


async def test_packets_that_may_not_be_sent_leave_the_rest_known() -> None:
    host = FakeHost()
    host.packets.unreadable = "needs CAP_NET_RAW"
    seen = await sight(host, Interests(reached=("198.19.0.2",)))
    assert seen.upstream == () and seen.uplink == "host0"


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("nameserver 10.0.0.1\nnameserver fe80::1%eth0\noptions rotate\n", ("10.0.0.1", "fe80::1%eth0")),
        ("# nameserver 10.0.0.1\n<html>nameserver</html>\nnameserver portal\nnameserver\n", ()),
    ],
)
async def test_only_addresses_are_name_servers(text: str, servers: tuple[str, ...]) -> None:
    host = FakeHost()
    host.files.contents["/etc/resolv.conf"] = text
    assert await name_servers(host) == servers


async def test_a_host_that_cannot_be_read_has_no_first_sight() -> None:
    host = FakeHost()
    host.netlink.unreadable = "no permission"
    with pytest.raises(ProbeError):
        await sight(host, Interests())


async def test_nobody_is_asked_for_a_network_that_nobody_compares() -> None:
    host = FakeHost()
    host.netlink.unreadable = host.packets.unreadable = "must not be asked"
    seen = await sight(host, Interests(reached=("198.19.0.2",), network=False))
    assert seen.uplink == "" and seen.file_systems == {"/": True}


async def test_without_asking_nobody_is_sent_anything_and_who_answers_stays_as_known() -> None:
    host = FakeHost()
    host.known.good = await sight(host, Interests(reached=("198.19.0.2",)))
    host.packets.unreadable = "must not be asked"
    assert await sight(host, Interests(reached=("198.19.0.2",)), asking=False) == host.known.good


@pytest.mark.parametrize(("server", "found"), [("127.0.0.53", True), ("198.19.0.3", False)])
async def test_behind_the_stub_of_systemd_resolved_its_own_servers_are_found(server: str, found: bool) -> None:
    host = FakeHost()
    host.files.contents["/etc/resolv.conf"] = f"nameserver {server}\n"
    host.files.contents["/run/systemd/resolve/resolv.conf"] = "nameserver 203.0.113.53\n"
    seen = await sight(host, Interests())
    assert ("203.0.113.53" in seen.upstream) == found and seen.name_servers == (server,)


async def test_a_new_release_is_seen_only_when_its_link_is_old_enough() -> None:
    host = FakeHost()
    shop = Component(name="shop", releases=Releases(folder="/srv/shop", current="/srv/shop/current"))
    wall_s = host.clock.now().wall_ns / 1e9
    host.files.link("/srv/shop/current", "2", modified_wall_s=wall_s - 30)
    young = Interests(components=(shop,), release_after_s={"shop": 60.0})
    assert (await sight(host, young)).releases == {"shop": "2"}, "the first that is seen"
    host.known.good = KnownGood(releases={"shop": "1"})
    assert (await sight(host, young)).releases == {"shop": "1"}
    old_enough = Interests(components=(shop,), release_after_s={"shop": 20.0})
    assert (await sight(host, old_enough)).releases == {"shop": "2"}


async def test_what_names_resolve_by_is_kept_to_the_byte_and_a_link_by_what_it_says() -> None:
    host = FakeHost()
    host.files.put("/etc/hosts", "127.0.0.1 localhost\n")
    host.files.link("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
    host.files.put("/var/lib/dpkg/status", modified_wall_s=1_700_000_000.5)
    seen = await sight(host, Interests(network=False))
    assert seen.name_files == {
        "/etc/resolv.conf": KeptFile(target="../run/systemd/resolve/stub-resolv.conf"),
        "/etc/hosts": KeptFile(content=b"127.0.0.1 localhost\n"),
    }
    assert seen.packages_as_of == "2023-11-14T22:13:20.500000000Z"


async def test_what_is_known_of_names_is_readable_and_survives_a_restart() -> None:
    good = KnownGood(name_files={"/etc/hosts": KeptFile(content=b"\xff"), "/etc/resolv.conf": KeptFile(target="x")})
    assert msgspec.json.decode(msgspec.json.encode(good), type=KnownGood) == good
    assert msgspec.convert(msgspec.to_builtins(good), KnownGood) == good
    assert differences(KnownGood(), good) == [
        "name_files: /etc/hosts 1 bytes (SHA-256 a8100ae6aa19…), /etc/resolv.conf a link to x"
    ]
    assert msgspec.json.decode(b"{}", type=KnownGood).name_files == {}
