import pytest
from tests.agent.fake_host import FakeHost

from guardian_agent.detection.own_addresses import OwnAddresses
from guardian_agent.host import Route
from guardian_agent.host.known_good import KnownGood

LOCAL, BEYOND = Route(interface="lo", gateway=None), Route(interface="host0", gateway="198.18.0.1")


@pytest.mark.parametrize("name", ["198.18.0.2", "own.example"])
async def test_the_uplinks_own_address_stays_so_when_it_is_gone(name: str) -> None:
    host = FakeHost()
    names = {"own.example": ("198.18.0.2",), "far.example": ("198.18.0.2", "198.18.0.9")}
    host.known.good = KnownGood(addresses=("198.18.0.2/16",), names=names)
    host.netlink.routes["198.18.0.2"] = BEYOND
    own = OwnAddresses(host)
    await own.learn([name])
    assert name in own
    assert "far.example" not in own


async def test_an_address_of_another_interface_is_told_by_the_way_to_it() -> None:
    host = FakeHost()
    host.netlink.routes |= {"172.17.0.1": LOCAL, "10.0.0.5": BEYOND}
    own = OwnAddresses(host)
    assert "172.17.0.1" not in own
    await own.learn(["172.17.0.1", "10.0.0.5", "", "localhost"])
    assert [one in own for one in ("172.17.0.1", "10.0.0.5", "", "localhost", "db.example")] == [True] + 4 * [False]
    host.netlink.routes["172.17.0.1"] = BEYOND
    await own.learn(["172.17.0.1"])
    assert "172.17.0.1" not in own


async def test_what_the_kernel_does_not_tell_stays_as_it_was() -> None:
    host = FakeHost()
    host.netlink.routes["172.17.0.1"] = LOCAL
    own = OwnAddresses(host)
    await own.learn(["172.17.0.1"])
    host.netlink.unreadable = "no buffer"
    await own.learn(["172.17.0.1"])
    assert "172.17.0.1" in own
