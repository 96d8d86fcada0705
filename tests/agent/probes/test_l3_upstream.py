import asyncio

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_network import GATEWAY
from tests.agent.probes.asking import UPSTREAM, WELL, look, made, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import KnownGood
from guardian_agent.model import Stamp
from guardian_agent.probes.l3_upstream import L3Upstream

SECOND = "203.0.113.9"


def known(**also: object) -> KnownGood:
    return msgspec.structs.replace(WELL, **also)


async def test_when_none_of_the_addresses_answers_the_upstream_is_gone() -> None:
    host = FakeHost()
    host.known.good = known(upstream=(UPSTREAM, SECOND))
    host.packets.silent.add(UPSTREAM)
    assert await sees(L3Upstream, host) == ""
    assert (await look(L3Upstream, host)).evidence["silent"] == UPSTREAM
    host.packets.silent.add(SECOND)
    assert await sees(L3Upstream, host) == "upstream_unreachable"


async def test_with_a_silent_gateway_it_cannot_be_told_in_the_time_that_there_is() -> None:
    host = FakeHost()
    host.known.good = known(upstream=(UPSTREAM, SECOND))
    host.packets.silent |= {UPSTREAM, SECOND, GATEWAY}
    began_s = asyncio.get_running_loop().time()
    with pytest.raises(ProbeError, match="gateway does not answer"):
        await look(L3Upstream, host)
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(2.0)


async def test_a_gateway_that_never_answered_is_not_waited_for() -> None:
    host = FakeHost()
    host.known.good = known(upstream=(UPSTREAM, SECOND), echoing_gateways=(), learned_at=Stamp("boot-1", 0, 0))
    host.packets.silent |= {UPSTREAM, SECOND, GATEWAY}
    assert await sees(L3Upstream, host) == "upstream_unreachable"


async def test_addresses_on_the_link_say_nothing_of_what_is_beyond_it() -> None:
    host = FakeHost()
    for upstream in ((), ("198.18.7.7",)):
        host.known.good = known(upstream=upstream)
        with pytest.raises(ProbeError, match="no address beyond the link"):
            await look(L3Upstream, host)


async def test_one_address_alone_may_be_down_by_itself() -> None:
    host = FakeHost()
    host.known.good = known(upstream=(UPSTREAM, "198.18.7.7"))
    host.packets.silent.add(UPSTREAM)
    with pytest.raises(ProbeError, match=f"only {UPSTREAM} beyond the link"):
        await look(L3Upstream, host)


async def test_the_operators_addresses_go_first() -> None:
    host = FakeHost()
    host.known.good = WELL
    host.packets.silent.add(SECOND)
    probe = msgspec.structs.replace(made(L3Upstream), addresses=(SECOND,))
    assert not (await probe.look(host)).ok


async def test_an_address_that_is_none_is_no_verdict() -> None:
    probe = msgspec.structs.replace(made(L3Upstream), addresses=("hub.example",))
    with pytest.raises(ProbeError, match=r"hub\.example"):
        await probe.look(FakeHost())
