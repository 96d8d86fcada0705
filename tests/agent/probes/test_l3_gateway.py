import asyncio

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_network import GATEWAY
from tests.agent.probes.asking import UPSTREAM, WELL, look, made, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import Route
from guardian_agent.probes.l3_gateway import L3Gateway

GATEWAY6 = "fe80::1"


def with_both_families(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    async def default_routes() -> list[Route]:
        return [Route(interface="host0", gateway=GATEWAY), Route(interface="host0", gateway=GATEWAY6)]

    monkeypatch.setattr(host.netlink, "default_routes", default_routes)


async def test_a_gateway_that_leaves_all_requests_unanswered_is_unreachable_after_a_second() -> None:
    host = FakeHost()
    host.known.good = WELL
    assert await sees(L3Gateway, host) == ""
    host.packets.silent |= {GATEWAY, UPSTREAM}
    began_s = asyncio.get_running_loop().time()
    assert await sees(L3Gateway, host) == "gateway_unreachable"
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(1.0)
    assert (await look(L3Gateway, host)).evidence["reason"] == "no answer within 1 s"


async def test_one_answer_of_four_is_enough() -> None:
    host = FakeHost()
    host.packets.lost[GATEWAY] = [True, True, True]
    assert await sees(L3Gateway, host) == ""


async def test_the_evidence_repeats_what_was_said_against_it() -> None:
    host = FakeHost()
    host.known.good = msgspec.structs.replace(WELL, upstream=())
    host.packets.reasons[GATEWAY] = "dropped by this host's own packet filter"
    assert (await look(L3Gateway, host)).evidence["reason"] == "dropped by this host's own packet filter"


async def test_one_of_two_gateways_is_missed_if_it_used_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    host = FakeHost()
    with_both_families(host, monkeypatch)
    host.packets.silent.add(f"{GATEWAY6}%host0")
    host.known.good = msgspec.structs.replace(WELL, echoing_gateways=(GATEWAY, GATEWAY6))
    assert await sees(L3Gateway, host) == "gateway_unreachable"
    host.known.good = msgspec.structs.replace(WELL, echoing_gateways=(GATEWAY,))
    assert await sees(L3Gateway, host) == ""


async def test_a_gateway_that_forwards_need_not_answer() -> None:
    host = FakeHost()
    host.known.good = WELL
    host.packets.silent.add(GATEWAY)
    began_s = asyncio.get_running_loop().time()
    assert (await look(L3Gateway, host)).evidence["silent_but_forwards_to"] == UPSTREAM
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(1.0)


async def test_who_is_on_the_link_or_goes_another_way_does_not_show_that_the_gateway_forwards() -> None:
    host = FakeHost()
    host.known.good = WELL
    host.packets.silent.add(GATEWAY)
    host.netlink.routes[UPSTREAM] = Route(interface="tun0", gateway=None)
    assert await sees(L3Gateway, host) == "gateway_unreachable"


@pytest.mark.parametrize("echoing", [(), ("192.0.2.1",)])
async def test_a_gateway_that_was_never_known_to_answer_is_not_judged(echoing: tuple[str, ...]) -> None:
    host = FakeHost()
    host.known.good = msgspec.structs.replace(WELL, echoing_gateways=echoing)
    host.packets.silent |= {GATEWAY, UPSTREAM}
    with pytest.raises(ProbeError, match="was not known to answer"):
        await look(L3Gateway, host)


async def test_where_nothing_may_be_sent_it_cannot_be_told() -> None:
    host = FakeHost()
    host.known.good = WELL
    host.packets.unreadable = "no permission"
    with pytest.raises(ProbeError, match="no permission"):
        await look(L3Gateway, host)


async def test_all_that_lies_below_accounts_for_it() -> None:
    rests_on = made(L3Gateway).rests_on("gateway_unreachable")
    assert {"l1_carrier", "l1_loss", "l2_neighbour", "l3_addresses", "l3_default_route"} <= set(rests_on)
    assert "l3_routes" not in rests_on
