"""What falls again and again: every fall is mended as fast as the first, and all of it is one incident."""

import asyncio

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_workloads import FakeUnit
from tests.agent.healing.scene import WEB, Scene, nginx, running, until

from guardian_agent.config import PlaybookSettings
from guardian_agent.model import Component, Endpoint, Mode, Outcome, Resolution

AT_ONCE = {"restart_service": PlaybookSettings(cooldown_s=0.0, attempts_per_day=1000)}
DB_PORT = Endpoint("127.0.0.1", 5432)


async def fall(unit: FakeUnit, times: int, every_s: float = 30.0) -> list[float]:
    """Crashes it so often; answers how long it was down each time."""
    downs = []
    for _ in range(times):
        unit.crash()
        downs.append(await until(lambda: unit.up, within_s=every_s))
        await asyncio.sleep(every_s - downs[-1])
    return downs


def closed_after_s(scene: Scene) -> list[float]:
    """How long after its verified recovery each incident was closed."""
    return [i.closed_at.seconds_since(i.verified_at) for i in scene.incidents if i.closed_at and i.verified_at]


async def test_a_service_that_crashes_every_half_minute_is_mended_each_time_at_once_and_is_few_incidents() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, playbooks=AT_ONCE, actions_per_hour=1000) as scene:
        downs = await fall(unit, 60)
        assert max(downs) < 0.5
        assert scene.outcomes == [("restart_service", Outcome.HEALED)] * 60
        assert host.changes().count("systemctl start nginx.service") == 60
        assert scene.pages == []
        assert 3 <= len(scene.incidents) <= 10
        await asyncio.sleep(90.0)
        assert all(i.closed_at and i.resolution == Resolution.AUTO for i in scene.incidents)
        assert closed_after_s(scene)[-1] == pytest.approx(60.0, abs=6.0)


async def test_the_first_two_recoveries_close_their_incidents_as_fast_as_ever() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, playbooks=AT_ONCE) as scene:
        await fall(unit, 4)
        first, second, third, _ = closed_after_s(scene)
        assert first < 1.5 and second < 1.5
        assert 2.0 <= third < 4.0


async def test_while_it_is_on_probation_nothing_is_done_and_nobody_is_called(caplog: pytest.LogCaptureFixture) -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, playbooks=AT_ONCE) as scene:
        await fall(unit, 12)
        assert scene.case().on_probation()
        host.done.clear()
        executions = len(scene.state.executions())
        await until(lambda: not scene.agent.incidents.open)
        assert host.done == [] and scene.pages == [] and len(scene.state.executions()) == executions


async def test_what_becomes_good_by_itself_in_the_back_off_is_neither_mended_nor_given_up() -> None:
    host = FakeHost()
    unit = nginx(host)
    slow = {"restart_service": PlaybookSettings(cooldown_s=20.0)}
    async with running(host, WEB, playbooks=slow) as scene:
        for _ in range(6):
            unit.crash()
            await asyncio.sleep(1.0)
            unit.come_up()
            await asyncio.sleep(14.0)
        changes = len(host.changes())
        await asyncio.sleep(600.0)
        assert len(host.changes()) == changes and scene.pages == [] and not scene.agent.incidents.open


async def test_an_hour_later_it_is_as_if_nothing_had_been() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, playbooks=AT_ONCE) as scene:
        await fall(unit, 12)
        await asyncio.sleep(3600.0)
        unit.crash()
        await asyncio.sleep(10.0)
        assert closed_after_s(scene)[-1] < 3.0


async def test_a_last_fall_that_systemd_mended_is_not_put_down_to_the_playbook() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, playbooks=AT_ONCE) as scene:
        await fall(unit, 10)
        case = scene.case()
        unit.restart_after_s = 1.0
        unit.crash()
        await asyncio.sleep(120.0)
        assert case.closed.is_set() and case.incident.recovered_by == "systemd"


async def test_what_rests_on_something_on_probation_need_not_wait_for_its_end() -> None:
    host = FakeHost()
    db, unit = host.unit("postgresql.service", serves=DB_PORT), nginx(host)
    app = Component(name="web", unit="nginx.service", depends_on=("db",))
    settings = {"restart_service": PlaybookSettings(cooldown_s=0.0)}
    async with running(
        host, Component(name="db", unit="postgresql.service", listen=DB_PORT), app, playbooks=settings
    ) as scene:
        await fall(db, 10)
        assert scene.case("db").on_probation()
        unit.crash()
        assert await until(lambda: unit.up) < 2.0


async def test_an_agent_that_only_observes_tells_few_incidents_too() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        for _ in range(60):
            unit.crash()
            await asyncio.sleep(5.0)
            unit.come_up()
            await asyncio.sleep(25.0)
        assert 3 <= len(scene.incidents) <= 10
