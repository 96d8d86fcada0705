import asyncio

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.probes.asking import UPSTREAM, WELL, look, sees

from guardian_agent.errors import ProbeError
from guardian_agent.probes.l3_path_mtu import L3PathMtu


def well() -> FakeHost:
    host = FakeHost()
    host.known.good = WELL
    return host


async def test_long_packets_that_vanish_where_short_ones_are_answered_are_a_black_hole() -> None:
    host = well()
    assert await sees(L3PathMtu, host) == ""
    assert (UPSTREAM, 1472, True) in host.packets.echoes
    host.packets.narrow[UPSTREAM] = 1200
    began_s = asyncio.get_running_loop().time()
    assert await sees(L3PathMtu, host) == "path_mtu"
    assert asyncio.get_running_loop().time() - began_s < 2.0


async def test_once_the_kernel_sends_no_longer_ones_there_it_is_good_again() -> None:
    host = well()
    host.packets.narrow[UPSTREAM] = 1200
    host.packets.kernels[UPSTREAM] = 1200
    assert await sees(L3PathMtu, host) == ""


async def test_what_never_got_through_is_not_missed() -> None:
    host = well()
    host.known.good = msgspec.structs.replace(WELL, path_mtus={UPSTREAM: 1400})
    host.packets.narrow[UPSTREAM] = 1400
    assert await sees(L3PathMtu, host) == ""
    host.packets.narrow[UPSTREAM] = 1399
    assert await sees(L3PathMtu, host) == "path_mtu"


async def test_one_long_packet_may_get_lost() -> None:
    host = well()
    host.packets.lost[UPSTREAM] = [False, True]
    assert await sees(L3PathMtu, host) == ""


async def test_a_narrow_way_that_is_announced_is_a_fault_only_where_it_is_not_heeded() -> None:
    host = well()
    host.packets.announced[UPSTREAM] = 1200
    reading = await look(L3PathMtu, host)
    assert not reading.ok and reading.evidence["announced_mtu"] == 1200

    host.packets.kernels[UPSTREAM] = 1200
    assert await sees(L3PathMtu, host) == ""


async def test_where_short_packets_are_lost_nothing_can_be_told_of_long_ones() -> None:
    host = well()
    host.packets.silent.add(UPSTREAM)
    with pytest.raises(ProbeError, match="short packet"):
        await look(L3PathMtu, host)
    host.packets.silent.clear()
    host.packets.reasons[UPSTREAM] = "no route"
    with pytest.raises(ProbeError, match="short packet"):
        await look(L3PathMtu, host)


async def test_without_a_known_address_it_cannot_be_told() -> None:
    with pytest.raises(ProbeError, match="no address beyond the link"):
        await look(L3PathMtu, FakeHost())


async def test_the_longer_headers_of_ipv6_are_counted() -> None:
    host = well()
    host.known.good = msgspec.structs.replace(WELL, upstream=("2001:db8::9",))
    await look(L3PathMtu, host)
    assert ("2001:db8::9", 1452, True) in host.packets.echoes
