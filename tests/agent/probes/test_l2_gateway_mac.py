import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_network import GATEWAY, GATEWAY_MAC
from tests.agent.probes.asking import WELL, look, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import Neighbour
from guardian_agent.probes.l2_gateway_mac import L2GatewayMac

IMPOSTOR = "02:00:00:00:00:66"
STRANGER = msgspec.structs.replace(WELL, neighbours={})


@pytest.mark.parametrize("macs", [[IMPOSTOR], [GATEWAY_MAC, IMPOSTOR], [IMPOSTOR, GATEWAY_MAC]])
async def test_whoever_else_answers_for_the_gateway_is_seen(macs: list[str]) -> None:
    host = FakeHost()
    host.known.good = WELL
    assert await sees(L2GatewayMac, host) == ""
    host.packets.macs[GATEWAY] = macs
    assert await sees(L2GatewayMac, host) == "gateway_changed"
    assert IMPOSTOR in (await look(L2GatewayMac, host)).evidence["answered_by"]


async def test_without_a_known_mac_one_answer_is_as_good_as_another_and_two_are_one_too_many() -> None:
    host = FakeHost()
    host.known.good = STRANGER
    host.packets.macs[GATEWAY] = [IMPOSTOR]
    assert await sees(L2GatewayMac, host) == ""
    host.packets.macs[GATEWAY] = [IMPOSTOR, GATEWAY_MAC]
    assert await sees(L2GatewayMac, host) == "gateway_changed"


async def test_once_the_gateways_own_mac_is_pinned_an_impostor_misleads_nobody() -> None:
    host = FakeHost()
    host.known.good = WELL
    host.packets.macs[GATEWAY] = [IMPOSTOR, GATEWAY_MAC]
    host.netlink.neighbours[GATEWAY] = Neighbour(address=GATEWAY, mac=GATEWAY_MAC, state="permanent")
    assert await sees(L2GatewayMac, host) == ""
    host.netlink.neighbours[GATEWAY] = Neighbour(address=GATEWAY, mac=IMPOSTOR, state="permanent")
    assert await sees(L2GatewayMac, host) == "gateway_changed"


async def test_the_gateways_of_one_load_balancing_group_are_one() -> None:
    host = FakeHost()
    host.known.good = msgspec.structs.replace(WELL, neighbours={GATEWAY: "00:07:b4:00:0a:01"})
    host.packets.macs[GATEWAY] = ["00:07:b4:00:0a:02"]
    assert await sees(L2GatewayMac, host) == ""
    host.packets.macs[GATEWAY] = ["00:07:b4:00:0b:02"]
    assert await sees(L2GatewayMac, host) == "gateway_changed"


async def test_where_nobody_answers_the_kernel_has_the_word_if_it_has_just_been_confirmed() -> None:
    host = FakeHost()
    host.known.good = WELL
    host.packets.macs.clear()
    assert await sees(L2GatewayMac, host) == ""
    host.netlink.neighbours[GATEWAY] = Neighbour(address=GATEWAY, mac=IMPOSTOR, state="reachable")
    assert await sees(L2GatewayMac, host) == "gateway_changed"
    host.netlink.neighbours[GATEWAY] = Neighbour(address=GATEWAY, mac=IMPOSTOR, state="stale")
    with pytest.raises(ProbeError, match="nobody answers for the gateway"):
        await look(L2GatewayMac, host)


async def test_a_link_without_neighbours_is_fine() -> None:
    host = FakeHost()
    host.packets.point_to_point = True
    assert await sees(L2GatewayMac, host) == ""
