import asyncio
from typing import Any

import msgspec
import pytest
from tests.agent.detection.host_watches import canary, watch_of
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import SHOP, WEB, nginx, running, shop, until

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, ProcessState, UnitEvent
from guardian_agent.model import Mode, Outcome, Reading


async def test_a_crash_is_seen_within_milliseconds_not_at_the_next_interval() -> None:
    host = FakeHost()
    unit, command = nginx(host), shop(host)
    host.processes.by_name["shop"].serves = None
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.crash()
        await asyncio.sleep(0.05)
        assert [incident.target for incident in scene.incidents] == ["web"]
    del host.units.by_name["nginx.service"]
    command.serves = SHOP.listen
    async with running(host, SHOP, mode=Mode.OBSERVE) as scene:
        command.crash()
        await asyncio.sleep(0.05)
        assert [incident.issue_type for incident in scene.incidents] == ["process_crashed"]


async def test_a_command_that_was_started_again_is_watched_again() -> None:
    host = FakeHost()
    command = shop(host)
    async with running(host, SHOP) as scene:
        for crashes in (1, 2):
            command.crash()
            await asyncio.sleep(30.0)
            assert command.up and len(scene.incidents) == crashes


async def test_what_was_missed_while_the_bus_was_lost_is_looked_at_when_it_is_back() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        await unit.by_hand("stop")
        await asyncio.sleep(1.0)
        assert scene.agent.holds.reason("web")
        unit.active_state, unit.up = "active", True  # unheard of
        await asyncio.sleep(1.0)
        assert scene.agent.holds.reason("web")
        host.units.reconnect()
        await asyncio.sleep(0.1)
        assert scene.agent.holds.reason("web") == ""


async def test_a_unit_that_cannot_be_read_ends_no_hold_and_stops_nothing() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        await unit.by_hand("stop")
        await asyncio.sleep(1.0)
        host.units.unreachable = "no bus"
        host.units.reconnect()
        await asyncio.sleep(1.0)
        assert scene.agent.holds.reason("web")
    async with running(host, WEB, mode=Mode.OBSERVE, state=scene.state, settled=False) as scene:
        await asyncio.sleep(1.0)
        assert scene.agent.holds.reason("web")
        scene.assert_alive()


async def test_a_register_of_commands_that_cannot_be_read_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unreadable(_: str) -> ProcessState | None:
        raise ProbeError("the register cannot be read")

    host = FakeHost()
    command = shop(host)
    async with running(host, SHOP, mode=Mode.OBSERVE) as scene:
        with monkeypatch.context() as patched:
            patched.setattr(host.processes, "command", unreadable)
            command.gone.set()
            await asyncio.sleep(30.0)
            assert scene.incidents == []
            scene.assert_alive()
        command.come_up()
        await asyncio.sleep(1.0)
        command.crash()
        await asyncio.sleep(0.05)
        assert [incident.issue_type for incident in scene.incidents] == ["process_crashed"]


async def test_a_stop_by_hand_that_takes_long_is_not_overruled() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        unit.freeze()
        stopping = asyncio.ensure_future(unit.by_hand("stop"))
        await asyncio.sleep(80.0)
        assert scene.agent.holds.reason("web") and host.done == []
        await stopping
        await asyncio.sleep(60.0)
        assert scene.agent.holds.reason("web") and host.done == []


@pytest.mark.parametrize(("failed", "held"), [(True, False), (False, True)])
async def test_what_systemd_stops_with_something_that_failed_was_not_stopped_by_hand(failed: bool, held: bool) -> None:
    host = FakeHost()
    unit, needed = nginx(host), host.unit("db.service")
    host.units.needed["nginx.service"] = ("system.slice", "db.service")
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        if failed:
            needed.crash()
        await unit.by_hand("stop")
        await asyncio.sleep(10.0)
        assert bool(scene.agent.holds.reason("web")) is held
        assert bool(scene.incidents) is not held


async def test_a_stop_that_nobody_heard_of_is_found_when_the_bus_is_back() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        emit, unit._emit = unit._emit, lambda _: None
        await unit.by_hand("stop")
        unit._emit = emit
        host.units.reconnect()
        await asyncio.sleep(60.0)
        assert scene.agent.holds.reason("web") and host.done == []


async def test_a_job_whose_end_was_lost_keeps_nobody_waiting() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.start_s, unit.broken = 1.0, "no space left"
        restart = asyncio.ensure_future(unit.by_hand("restart"))
        await asyncio.sleep(0.5)
        emit, unit._emit = unit._emit, lambda _: None
        await restart
        unit._emit = emit
        await asyncio.sleep(10.0)
        assert len(scene.incidents) == 1


async def test_a_service_found_stopped_or_masked_at_the_start_is_held_and_a_hold_of_an_earlier_boot_is_not() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        await unit.by_hand("stop")  # by the shutdown
        await asyncio.sleep(1.0)
    host.clock.boot_id, host.clock.booted_s = "boot-2", asyncio.get_running_loop().time()
    unit.go_down("failed", "exit-code")  # at the boot
    async with running(host, WEB, state=scene.state, settled=False) as scene:
        await asyncio.sleep(60.0)
        assert unit.up and scene.outcomes == [("restart_service", Outcome.HEALED)]
        await unit.by_hand("stop")
        await asyncio.sleep(1.0)
    async with running(host, WEB, state=scene.state, settled=False) as scene:
        await asyncio.sleep(60.0)
        assert not unit.up and scene.agent.holds.reason("web")


async def test_what_was_stopped_by_hand_while_no_agent_ran_stays_stopped_though_its_incident_was_open() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.status = 500
        await asyncio.sleep(30.0)
    assert scene.incidents[0].closed_at is None
    await unit.by_hand("stop")
    async with running(host, WEB, state=scene.state, settled=False) as scene:
        await asyncio.sleep(120.0)
        assert host.done == [] and not unit.up and scene.agent.holds.reason("web")
        assert scene.incidents[0].held


@pytest.mark.parametrize("told", ["restart", ""])
async def test_a_slow_starter_has_its_grace_also_when_the_job_was_over_before_it_could_be_read(told: str) -> None:
    host = FakeHost()
    unit = nginx(host)
    emit = host.units.emit

    def without_type(event: UnitEvent) -> None:
        emit(msgspec.structs.replace(event, job_type=told))

    unit._emit = without_type
    async with running(host, WEB) as scene:
        serves, unit.serves, unit.url = (unit.serves, unit.url), None, None  # up at once, and serving two seconds later
        await unit.by_hand("restart")
        await asyncio.sleep(2.0)
        assert unit.up
        unit.serves, unit.url = serves
        await asyncio.sleep(30.0)
        assert scene.incidents == [] and host.done == []


async def test_a_hang_soon_after_a_start_is_mended_at_once_although_a_slow_probe_cannot_tell_yet() -> None:
    host = FakeHost()
    unit = nginx(host)
    slow: Any = canary("l7_slow")
    async with running(host, WEB, watches=[watch_of(slow, target="web")]) as scene:

        async def cannot_tell(self: object, host: Host) -> Reading:
            raise ProbeError("no session to hold")

        slow.look = cannot_tell
        await unit.by_hand("restart")
        await asyncio.sleep(3.0)
        unit.frozen = True
        await until(lambda: not unit.frozen and bool(scene.remedies), within_s=8.0)
