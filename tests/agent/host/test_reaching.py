import asyncio

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_network import GATEWAY
from tests.agent.virtual_time import in_virtual_time

from guardian_agent.errors import ProbeError
from guardian_agent.host import Echo, Known, KnownGood, Route
from guardian_agent.host.reaching import answers, gateway_addresses, is_link_local, is_on_link


def reach(host: FakeHost, within_s: float = 1.0) -> tuple[Echo, float]:
    async def timed() -> tuple[Echo, float]:
        began_s = asyncio.get_running_loop().time()
        echo = await answers(host.packets, GATEWAY, within_s)
        return echo, asyncio.get_running_loop().time() - began_s

    return in_virtual_time(timed())


def test_one_answer_ends_it_at_once() -> None:
    host = FakeHost()
    echo, took_s = reach(host)
    assert echo.answered and took_s < 0.01 and len(host.packets.echoes) == 1


def test_silence_is_asked_four_times_and_takes_the_whole_time() -> None:
    host = FakeHost()
    host.packets.silent.add(GATEWAY)
    echo, took_s = reach(host)
    assert not echo.answered and took_s == pytest.approx(1.0) and len(host.packets.echoes) == 4


def test_an_answer_that_takes_longer_than_the_next_request_still_counts() -> None:
    host = FakeHost()
    host.packets.round_trips_s[GATEWAY] = 0.6
    echo, took_s = reach(host)
    assert echo.answered and took_s == pytest.approx(0.6)


def test_a_reason_is_kept_when_nothing_better_comes() -> None:
    host = FakeHost()
    host.packets.reasons[GATEWAY] = "the interface's queue is full"
    echo, took_s = reach(host)
    assert echo.reason == "the interface's queue is full" and took_s == pytest.approx(1.0)


def test_where_nothing_may_be_sent_it_cannot_be_told() -> None:
    host = FakeHost()
    host.packets.unreadable = "no permission"
    with pytest.raises(ProbeError, match="no permission"):
        reach(host)


async def test_gateways_that_never_answer_are_left_out_where_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    async def default_routes() -> list[Route]:
        return [Route(interface="a0", gateway=GATEWAY), Route(interface="a0", gateway="fe80::1")]

    host = FakeHost()
    monkeypatch.setattr(host.netlink, "default_routes", default_routes)
    for echoing, wanted in [
        ((), [GATEWAY, "fe80::1%a0"]),
        (("fe80::1",), ["fe80::1%a0"]),
        (("10.0.0.1",), [GATEWAY, "fe80::1%a0"]),
    ]:
        known = Known(msgspec.structs.replace(KnownGood(), echoing_gateways=echoing))
        assert await gateway_addresses(host.netlink, known) == wanted


def test_addresses_are_told_by_their_networks() -> None:
    assert is_link_local("fe80::1%a0") and not is_link_local("2001:db8::1") and not is_link_local("169.254.0.1")
    assert is_on_link("10.9.0.1", ["10.9.0.2/24"]) and not is_on_link("10.9.1.1", ["10.9.0.2/24", "2001:db8::2/64"])
    assert is_on_link("2001:db8::9", ["2001:db8::2/64"]) and not is_on_link("10.9.0.1", [])
    with pytest.raises(ProbeError, match="hub"):
        is_on_link("hub", ["10.9.0.2/24"])
