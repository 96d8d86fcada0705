import asyncio

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_network import GATEWAY, GATEWAY_MAC
from tests.agent.probes.asking import WELL, look, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import Address, Neighbour, Route
from guardian_agent.probes.l2_neighbour import L2Neighbour

NOBODY = "02:00:00:00:00:99"


def entry(host: FakeHost, mac: str | None, state: str) -> None:
    host.netlink.neighbours[GATEWAY] = Neighbour(address=GATEWAY, mac=mac, state=state)


async def test_a_gateway_that_does_not_answer_on_the_link_has_failed_within_a_third_of_a_second() -> None:
    host = FakeHost()
    assert await sees(L2Neighbour, host) == ""
    host.packets.macs.clear()
    began_s = asyncio.get_running_loop().time()
    assert await sees(L2Neighbour, host) == "neighbour_failed"
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(0.3)


async def test_an_answer_that_the_kernel_does_not_take_is_a_failure_too() -> None:
    host = FakeHost()
    entry(host, None, "failed")
    assert await sees(L2Neighbour, host) == "neighbour_failed"
    assert (await look(L2Neighbour, host)).evidence["answered_by"] == GATEWAY_MAC


@pytest.mark.parametrize("state", ["stale", "delay", "probe", "incomplete"])
async def test_a_kernel_that_is_still_asking_is_no_failure_while_the_gateway_answers(state: str) -> None:
    host = FakeHost()
    entry(host, None, state)
    assert await sees(L2Neighbour, host) == ""


@pytest.mark.parametrize("known", [True, False])
async def test_another_mac_pinned_to_the_gateway_is_seen_by_what_was_good_or_by_who_answers(known: bool) -> None:
    host = FakeHost()
    host.known.good = WELL if known else msgspec.structs.replace(WELL, neighbours={})
    entry(host, NOBODY, "permanent")
    assert await sees(L2Neighbour, host) == "neighbour_failed"
    entry(host, GATEWAY_MAC, "permanent")
    assert await sees(L2Neighbour, host) == ""


async def test_the_gateways_own_mac_may_be_pinned_whoever_else_answers() -> None:
    host = FakeHost()
    host.known.good = WELL
    host.packets.macs[GATEWAY] = [NOBODY]
    entry(host, GATEWAY_MAC, "permanent")
    assert await sees(L2Neighbour, host) == ""


async def test_without_an_address_in_the_gateways_network_it_cannot_be_told() -> None:
    host = FakeHost()
    for left in ([], [Address(address="198.18.0.2", prefix=32)]):
        host.netlink.own["host0"] = left
        host.known.good = msgspec.structs.replace(WELL, addresses=("198.18.0.2/16",))
        with pytest.raises(ProbeError, match="no address in the network of its gateway"):
            await look(L2Neighbour, host)


async def test_a_host_whose_address_was_always_alone_in_its_network_is_judged() -> None:
    host = FakeHost()
    host.netlink.own["host0"] = [Address(address="198.51.100.7", prefix=32)]
    host.known.good = msgspec.structs.replace(WELL, addresses=("198.51.100.7/32",))
    assert await sees(L2Neighbour, host) == ""


async def test_a_link_local_gateway_needs_no_address_of_ours_in_its_network() -> None:
    host = FakeHost()
    host.netlink.route = Route(interface="host0", gateway="fe80::1")
    host.netlink.own["host0"] = []
    host.packets.macs["fe80::1"] = [GATEWAY_MAC]
    assert await sees(L2Neighbour, host) == ""


async def test_a_link_without_neighbours_is_fine() -> None:
    host = FakeHost()
    host.packets.point_to_point = True
    host.packets.macs.clear()
    assert await sees(L2Neighbour, host) == ""


async def test_without_a_gateway_it_cannot_be_told() -> None:
    host = FakeHost()
    host.netlink.route = None
    with pytest.raises(ProbeError, match="no gateway"):
        await look(L2Neighbour, host)
