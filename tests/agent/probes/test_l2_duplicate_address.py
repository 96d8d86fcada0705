import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.probes.asking import look, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import Address
from guardian_agent.probes.l2_duplicate_address import MOST, L2DuplicateAddress

OURS, OTHER_MAC = "198.18.0.2", "02:00:00:00:00:03"


async def test_another_host_that_answers_for_our_address_is_seen() -> None:
    host = FakeHost()
    assert await sees(L2DuplicateAddress, host) == ""
    host.packets.macs[OURS] = [OTHER_MAC]
    assert await sees(L2DuplicateAddress, host) == "duplicate_address"
    evidence = (await look(L2DuplicateAddress, host)).evidence
    assert evidence == {"interface": "host0", "address": OURS, "also_at": OTHER_MAC}


async def test_the_kernels_own_finding_counts_without_asking() -> None:
    host = FakeHost()
    host.netlink.own["host0"].append(Address(address="2001:db8::2", prefix=64, lasting=False, duplicate=True))
    assert await sees(L2DuplicateAddress, host) == "duplicate_address"


async def test_passing_addresses_are_not_asked_for() -> None:
    host = FakeHost()
    host.netlink.own["host0"].append(Address(address="2001:db8::77", prefix=64, lasting=False))
    host.packets.macs["2001:db8::77"] = [OTHER_MAC]
    assert await sees(L2DuplicateAddress, host) == ""


async def test_of_very_many_addresses_some_are_asked_for_and_the_evidence_says_so() -> None:
    host = FakeHost()
    host.netlink.own["host0"] = [Address(address=f"198.18.1.{number}", prefix=16) for number in range(MOST + 5)]
    assert (await look(L2DuplicateAddress, host)).evidence["not_asked_for"] == 5


async def test_without_an_address_it_cannot_be_told() -> None:
    host = FakeHost()
    host.netlink.own["host0"] = []
    with pytest.raises(ProbeError, match="no address"):
        await look(L2DuplicateAddress, host)


async def test_a_link_without_neighbours_is_fine() -> None:
    host = FakeHost()
    host.packets.point_to_point = True
    assert await sees(L2DuplicateAddress, host) == ""
