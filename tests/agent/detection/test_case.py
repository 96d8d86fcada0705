import asyncio

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB, Scene, nginx, running

from guardian_agent.detection.case import Case
from guardian_agent.detection.condition import Condition
from guardian_agent.model import Mode, Reading


async def opened(scene: Scene) -> Case:
    await asyncio.sleep(2.0)
    return scene.case()


async def test_it_is_recovered_only_when_every_probe_that_looked_bad_is_good_for_its_streak() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.crash()
        case = await opened(scene)
        unit.come_up()
        unit.status = 500
        await asyncio.sleep(60.0)
        assert not case.recovered() and not case.closed.is_set()
        unit.status = 200
        await asyncio.sleep(60.0)
        assert case.recovered() and case.closed.is_set()


async def test_a_probe_that_is_undecided_since_the_agents_start_is_recovered_after_its_whole_streak_only() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.crash()
        case = await opened(scene)
        await scene.kill()
        watch = scene.agent.incidents.scheduler.watches["l7_http/web"]
        case.bad_probes = {watch.key}
        watch.condition = Condition(fall=2, rise=2)
        for ok, recovered in [(False, False), (True, False), (True, True)]:
            watch.condition.observe(Reading(ok=ok), host.clock.now())
            assert case.recovered() == recovered


async def test_while_a_remedy_is_in_flight_it_stays_open_and_closes_as_soon_as_that_is_over() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.crash()
        case = await opened(scene)
        case.acting = True
        unit.come_up()
        await asyncio.sleep(60.0)
        assert case.recovered() and not case.closed.is_set()
        case.acted()
        assert case.closed.is_set() and not case.acting


async def test_a_look_of_its_own_counts_for_the_condition() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.crash()
        case = await opened(scene)
        assert case.owner.probe_id == "host_unit" and case.rise("host_unit") == 2
        unit.up, unit.active_state = True, "active"
        assert (await case.look("host_unit")).ok is True
        last = case.last_look("host_unit")
        assert last and last.ok is True and "host_unit" in case.good_probes()
        assert set(case.looks()) == {watch.probe_id for watch in case.watches} >= {"host_unit", "l4_listen", "l7_http"}


async def test_waiting_for_its_end_takes_no_longer_than_was_asked() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.crash()
        case = await opened(scene)
        began_s = asyncio.get_running_loop().time()
        assert not await case.wait_closed(7.0)
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(7.0)
        unit.come_up()
        assert await case.wait_closed(3600.0)
        assert asyncio.get_running_loop().time() - began_s < 60.0


async def test_a_relapse_out_of_probation_is_heard_of_at_once_and_a_timeout_does_not_end_it() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        for _ in range(8):
            unit.crash()
            await asyncio.sleep(1.0)
            unit.come_up()
            await asyncio.sleep(9.0)
        case, loop = scene.case(), asyncio.get_running_loop()
        assert case.on_probation() and not case.recovered()
        began_s = loop.time()
        loop.call_later(15.0, unit.crash)
        await case.wait_relapse(1.0)
        assert loop.time() - began_s == pytest.approx(15.0, abs=0.1)
        assert not case.on_probation() and not case.closed.is_set()


async def test_without_a_probation_it_waits_no_longer_than_it_is_told() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.crash()
        case, loop = await opened(scene), asyncio.get_running_loop()
        began_s = loop.time()
        await case.wait_relapse(7.0)
        assert loop.time() - began_s == pytest.approx(7.0, abs=0.01)
        asyncio.get_running_loop().call_later(1.0, unit.come_up)
        await case.wait_relapse(60.0)
        assert case.closed.is_set()
