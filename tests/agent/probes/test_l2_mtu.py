import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.probes.asking import WELL, look, sees

from guardian_agent.errors import ProbeError
from guardian_agent.probes.l2_mtu import L2Mtu


async def test_another_mtu_than_known_good_is_a_change_either_way() -> None:
    host = FakeHost()
    host.known.good = WELL
    assert await sees(L2Mtu, host) == ""
    for mtu in (1300, 9000):
        host.netlink.links["host0"] = msgspec.structs.replace(host.netlink.links["host0"], mtu=mtu)
        assert await sees(L2Mtu, host) == "mtu_changed"


async def test_nothing_is_judged_before_something_is_known() -> None:
    with pytest.raises(ProbeError, match="known to be good"):
        await look(L2Mtu, FakeHost())


async def test_an_operator_may_say_what_it_is_to_be() -> None:
    assert not (await L2Mtu(interface="host0", mtu=9000).look(FakeHost())).ok


async def test_an_interface_that_is_gone_is_the_carriers_business() -> None:
    host = FakeHost()
    host.known.good = WELL
    host.netlink.links.clear()
    with pytest.raises(ProbeError, match="no interface host0"):
        await look(L2Mtu, host)
