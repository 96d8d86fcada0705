import msgspec
import pytest
from tests.agent.fake_host import FakeHost

from guardian_agent.errors import ProbeError
from guardian_agent.host import KnownGood, Route
from guardian_agent.host.known_good import gateways, gone_over_to, uplink


async def test_the_uplink_is_the_one_known_good_or_else_the_default_routes() -> None:
    host = FakeHost()
    assert await uplink(host.netlink, host.known) == "host0"
    host.known.good = KnownGood(uplink="eth7")
    host.netlink.route = None
    assert await uplink(host.netlink, host.known) == "eth7"


@pytest.mark.parametrize("what", ["carrier", "admin_up"])
async def test_an_uplink_is_another_now_when_the_default_route_has_gone_over_to_one_with_a_carrier(what: str) -> None:
    host = FakeHost()
    assert await gone_over_to(host.netlink, host.known) == "", "nothing is known"
    host.known.good = KnownGood(uplink="eth7")
    assert await gone_over_to(host.netlink, host.known) == await uplink(host.netlink, host.known) == "host0"
    host.known.good = KnownGood(uplink="eth7", default_routes=(Route(interface="host0", gateway="fe80::1"),))
    assert await gone_over_to(host.netlink, host.known) == "", "the other family's went there before"
    host.known.good = KnownGood(uplink="eth7")
    host.netlink.links["host0"] = msgspec.structs.replace(host.netlink.links["host0"], **{what: False})
    assert await gone_over_to(host.netlink, host.known) == ""
    host.netlink.links.clear()
    assert await gone_over_to(host.netlink, host.known) == ""


async def test_without_a_default_route_there_is_no_uplink_and_no_gateway() -> None:
    host = FakeHost()
    host.netlink.route = None
    with pytest.raises(ProbeError, match="no uplink"):
        await uplink(host.netlink, host.known)
    with pytest.raises(ProbeError, match="no gateway"):
        await gateways(host.netlink, host.known)


async def test_a_family_without_a_gateway_now_has_the_one_known_good() -> None:
    host = FakeHost()
    v6 = Route(interface="host0", gateway="fe80::1")
    old = Route(interface="host0", gateway="198.18.0.9")
    host.known.good = KnownGood(default_routes=(old, v6))
    assert await gateways(host.netlink, host.known) == [Route(interface="host0", gateway="198.18.0.1"), v6]
