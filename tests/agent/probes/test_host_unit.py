import asyncio

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import nginx
from tests.agent.probes.asking import look, sees

from guardian_agent.errors import ProbeError
from guardian_agent.probes.host_unit import HostUnit


@pytest.mark.parametrize("active_state", ["active", "reloading", "refreshing"])
async def test_a_unit_that_is_up_is_good(active_state: str) -> None:
    host = FakeHost()
    nginx(host).active_state = active_state
    assert await sees(HostUnit, host) == ""


@pytest.mark.parametrize("active_state", ["failed", "inactive", "deactivating"])
async def test_a_unit_that_is_down_by_nobodys_order_has_failed(active_state: str) -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.go_down(active_state, "exit-code")
    assert await sees(HostUnit, host) == "service_failed"
    assert (await look(HostUnit, host)).evidence["result"] == "exit-code"


async def test_systemds_own_restart_is_no_excuse_although_a_job_is_pending() -> None:
    host = FakeHost()
    unit = nginx(host)
    for sub_state in ("auto-restart", "auto-restart-queued"):
        unit.active_state, unit.sub_state, unit.job_id = "activating", sub_state, 7
        assert await sees(HostUnit, host) == "service_failed"


async def test_a_unit_on_its_way_by_somebodys_order_is_not_judged() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.go_down()
    unit.job_id, unit.job_type = 7, "start"
    with pytest.raises(ProbeError, match="pending start job"):
        await look(HostUnit, host)
    unit.job_id, unit.active_state, unit.sub_state = 0, "activating", "start-pre"
    with pytest.raises(ProbeError, match=r"is starting \(start-pre\)"):
        await look(HostUnit, host)


@pytest.mark.parametrize("load_state", ["masked", "bad-setting", "error"])
async def test_a_unit_that_systemd_does_not_load_is_not_judged(load_state: str) -> None:
    host = FakeHost()
    nginx(host).load_state = load_state
    with pytest.raises(ProbeError, match=f"systemd says it is {load_state}"):
        await look(HostUnit, host)


async def test_a_unit_that_does_not_exist_is_not_judged() -> None:
    with pytest.raises(ProbeError, match="systemd says it is not-found"):
        await look(HostUnit, FakeHost())


async def test_a_restart_by_hand_is_unknown_while_it_lasts_and_good_after_it() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.start_s = 1.0
    restart = asyncio.ensure_future(unit.by_hand("restart"))
    await asyncio.sleep(0.5)
    with pytest.raises(ProbeError):
        await look(HostUnit, host)
    await restart
    assert await sees(HostUnit, host) == ""
