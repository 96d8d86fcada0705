import asyncio

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.probes.asking import WELL, look, made, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import KnownGood, Route
from guardian_agent.probes.l1_carrier import L1Carrier


def change(host: FakeHost, **what: object) -> None:
    host.netlink.links["host0"] = msgspec.structs.replace(host.netlink.links["host0"], **what)


@pytest.mark.parametrize(("what", "issue"), [("admin_up", "link_down"), ("carrier", "link_down")])
async def test_a_link_that_is_down_on_either_end_is_down(what: str, issue: str) -> None:
    host = FakeHost()
    assert await sees(L1Carrier, host) == ""
    change(host, **{what: False})
    assert await sees(L1Carrier, host) == issue


async def test_the_uplink_that_was_good_is_judged_when_its_route_is_gone_with_it() -> None:
    host = FakeHost()
    host.netlink.route = None
    with pytest.raises(ProbeError, match="no uplink"):
        await look(L1Carrier, host)
    host.known.good = WELL
    change(host, admin_up=False)
    assert await sees(L1Carrier, host) == "link_down"


async def test_an_uplink_that_was_taken_out_is_down() -> None:
    host = FakeHost()
    host.known.good = KnownGood(uplink="eth7")
    host.netlink.route = None
    reading = await look(L1Carrier, host)
    assert not reading.ok and reading.evidence == {"interface": "eth7", "present": False}


async def test_an_uplink_that_was_changed_for_another_is_not_missed() -> None:
    host = FakeHost()
    host.known.good = msgspec.structs.replace(WELL, uplink="wlan0", default_routes=())
    with pytest.raises(ProbeError, match="default route goes by host0 now"):
        await look(L1Carrier, host)
    change(host, carrier=False)
    assert await sees(L1Carrier, host) == "link_down", "it went over to one that is down, too"
    configured = msgspec.structs.replace(made(L1Carrier), interface="wlan0")
    change(host, carrier=True)
    assert not (await configured.look(host)).ok, "an operator has said which it is"


async def test_an_uplink_that_is_well_is_judged_whatever_the_default_route_does() -> None:
    host = FakeHost()
    host.known.good = WELL
    host.netlink.links["tun0"] = msgspec.structs.replace(host.netlink.links["host0"], name="tun0")
    host.netlink.route = Route(interface="tun0", gateway=None)
    assert await sees(L1Carrier, host) == ""


async def test_a_carrier_that_comes_and_goes_is_flapping_until_it_has_stayed() -> None:
    host = FakeHost()
    assert await sees(L1Carrier, host) == ""
    for turn in range(1, 5):
        await asyncio.sleep(1)
        change(host, carrier_changes=turn)
        expected = "link_flapping" if turn == 4 else ""
        assert await sees(L1Carrier, host) == expected
    await asyncio.sleep(11)
    assert await sees(L1Carrier, host) == ""
