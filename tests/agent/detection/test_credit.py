import asyncio

from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB, Scene, nginx, running

from guardian_agent.model import Mode, Resolution


def ended(scene: Scene) -> tuple[Resolution | None, str]:
    incident = scene.incidents[-1]
    assert incident.closed_at
    return incident.resolution, incident.recovered_by


async def test_what_a_playbook_healed_is_its_own() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        unit.crash()
        await asyncio.sleep(10.0)
        assert ended(scene) == (Resolution.AUTO, "restart_service")


async def test_what_an_operator_started_again_is_manual() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.crash()
        await asyncio.sleep(10.0)
        await unit.by_hand("restart")
        await asyncio.sleep(10.0)
        assert ended(scene) == (Resolution.MANUAL, "operator")


async def test_what_came_back_by_itself_is_spontaneous_and_nobodys() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.status = 500
        await asyncio.sleep(10.0)
        unit.status = 200
        await asyncio.sleep(10.0)
        assert ended(scene) == (Resolution.SPONTANEOUS, "")


async def test_what_systemd_restarted_is_its_own_although_its_job_is_not_ours() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        for restart_after_s in (0.1, 1.0, 5.0):
            unit.restart_after_s = restart_after_s
            unit.start_s = 0.5
            unit.crash()
            await asyncio.sleep(30.0)
            assert ended(scene) == (Resolution.SPONTANEOUS, "systemd")
        assert host.done == [] and len(scene.incidents) == 3


async def test_what_systemd_restarted_long_ago_is_no_credit_to_it_now() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.restarts = 3
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.status = 500
        await asyncio.sleep(10.0)
        unit.status = 200
        await asyncio.sleep(10.0)
        assert ended(scene) == (Resolution.SPONTANEOUS, "")
