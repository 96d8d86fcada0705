import asyncio

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_workloads import FakeUnit
from tests.agent.healing.scene import SHOP, URL, WEB, Scene, nginx, quick, running, shop

from guardian_agent.config import PlaybookSettings, ProbeSettings
from guardian_agent.detection.case import Case
from guardian_agent.host import Answer
from guardian_agent.model import Component, ConditionState, Endpoint, Mode, Outcome, Resolution, Transition

DB_PORT = Endpoint("127.0.0.1", 5432)
DB = Component(name="db", unit="postgresql.service", listen=DB_PORT)
APP = msgspec.structs.replace(WEB, depends_on=("db",))
REMOTE = "tcp:10.0.0.5:5432"
CLIENT = msgspec.structs.replace(WEB, depends_on=(REMOTE,))


def seconds(scene: Scene) -> float:
    return scene.host.clock.now().boottime_ns / 1e9


async def test_an_incident_begins_with_the_first_bad_look_and_ends_with_the_first_good_one_of_the_closing_streak() -> (
    None
):
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        last_good = seconds(scene)
        unit.crash()
        crashed = seconds(scene)
        await asyncio.sleep(30.0)
        assert scene.incidents[0].closed_at is None
        unit.come_up()
        up = seconds(scene)
        await asyncio.sleep(30.0)
        (incident,) = scene.incidents
        assert incident.last_good_at and incident.last_good_at.boottime_ns / 1e9 <= last_good
        assert incident.first_bad_at.boottime_ns / 1e9 == pytest.approx(crashed, abs=0.01)
        assert incident.detected_at.seconds_since(incident.first_bad_at) == pytest.approx(0.005, abs=0.001)
        assert incident.verified_at and incident.closed_at
        assert up <= incident.verified_at.boottime_ns / 1e9 <= up + 5.5
        assert incident.closed_at.seconds_since(incident.verified_at) > 0.0
        assert (incident.resolution, incident.recovered_by, incident.held) == (Resolution.SPONTANEOUS, "", False)


async def test_all_that_fails_of_one_component_is_one_incident_with_symptoms() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.crash()
        await asyncio.sleep(30.0)
        (incident,) = scene.incidents
        assert incident.issue_type == "service_failed" and incident.owner_probe == "host_unit"
        assert incident.symptoms == ["connection_refused", "port_not_listening"]


async def test_the_incident_is_named_by_its_cause_whichever_probe_saw_it_first() -> None:
    host = FakeHost()
    command = shop(host)
    slow = {"host_process": ProbeSettings(interval_s=60.0), "l4_listen": ProbeSettings(interval_s=60.0)}
    async with running(host, SHOP, probes=slow, mode=Mode.OBSERVE) as scene:
        command.up = False  # and nobody hears of it
        await asyncio.sleep(30.0)
        (incident,) = scene.incidents
        assert incident.issue_type == "process_crashed"
        assert incident.first_bad_at.seconds_since(incident.detected_at) < 0


async def test_one_bad_look_opens_nothing() -> None:
    host = FakeHost()
    nginx(host)
    async with running(host, WEB) as scene:
        host.sockets.answers[URL] = Answer(connected=True, status=500)
        scheduler = scene.agent.incidents.scheduler
        assert (await scheduler.look(scheduler.watches["l7_http/web"])).ok is False
        del host.sockets.answers[URL]
        await asyncio.sleep(30.0)
        assert scene.incidents == [] and host.done == []


async def test_what_was_never_good_on_this_host_opens_nothing() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.crash()
    async with running(host, WEB) as scene:
        await asyncio.sleep(300.0)
        assert scene.incidents == [] and host.done == []


async def test_a_look_that_cannot_tell_opens_nothing_and_closes_nothing() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        host.units.unreachable = "no bus"
        await asyncio.sleep(60.0)
        assert scene.incidents == []
        host.units.unreachable = ""
        unit.crash()
        await asyncio.sleep(10.0)
        host.units.unreachable = "no bus"
        unit.come_up()
        await asyncio.sleep(60.0)
        assert scene.incidents[0].closed_at is None
        host.units.unreachable = ""
        await asyncio.sleep(20.0)
        assert scene.incidents[0].closed_at


async def test_failing_before_the_streak_is_over_continues_the_incident_and_after_it_opens_a_recurrence() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, probes={"l7_http": ProbeSettings(rise=5)}, mode=Mode.OBSERVE) as scene:
        unit.crash()
        await asyncio.sleep(10.0)
        unit.come_up()
        await asyncio.sleep(0.6)
        unit.crash()
        await asyncio.sleep(10.0)
        assert len(scene.incidents) == 1 and scene.incidents[0].closed_at is None
        unit.come_up()
        await asyncio.sleep(60.0)
        unit.crash()
        await asyncio.sleep(10.0)
        first, second = scene.incidents
        assert first.closed_at and second.closed_at is None
        assert (first.recurrence_of, second.recurrence_of) == ("", first.incident_id)


async def test_a_recovery_is_dated_when_it_came_and_not_when_the_next_look_was_due() -> None:
    host = FakeHost()
    unit = nginx(host)
    seldom = {"l4_connect": ProbeSettings(interval_s=60.0), "l4_listen": ProbeSettings(interval_s=60.0)}
    async with running(host, WEB, probes=seldom) as scene:
        unit.start_s = 2.0
        unit.crash()
        await asyncio.sleep(10.0)
        (incident,) = scene.incidents
        assert incident.verified_at and incident.verified_at.seconds_since(incident.first_bad_at) < 2.5


async def test_it_was_last_good_when_a_probe_that_needs_it_last_was() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, probes={"host_unit": ProbeSettings(interval_s=3600.0)}) as scene:
        await asyncio.sleep(100.0)
        unit.crash()
        await asyncio.sleep(1.0)
        (incident,) = scene.incidents
        assert incident.owner_probe == "host_unit" and incident.last_good_at
        assert incident.first_bad_at.seconds_since(incident.last_good_at) < 1.2


# Somebody's purpose


async def test_a_service_that_was_stopped_by_hand_opens_nothing_ever_and_is_watched_again_once_up() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        await unit.by_hand("stop")
        await asyncio.sleep(600.0)
        assert scene.incidents == [] and host.done == []
        await unit.by_hand("start")
        await asyncio.sleep(5.0)
        unit.crash()
        await asyncio.sleep(5.0)
        assert scene.outcomes == [("restart_service", Outcome.HEALED)]


async def test_a_package_upgrade_and_a_restart_by_hand_open_nothing() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.start_s = 3.0
    async with running(host, WEB) as scene:
        await unit.by_hand("stop")
        await asyncio.sleep(7.0)
        await unit.by_hand("start")
        await asyncio.sleep(5.0)
        await unit.by_hand("restart")
        await asyncio.sleep(30.0)
        assert scene.incidents == [] and host.done == []


async def test_an_incident_whose_service_is_then_stopped_by_hand_is_over_and_no_other_follows() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.status = 500
        await asyncio.sleep(10.0)
        await unit.by_hand("stop")
        await asyncio.sleep(600.0)
        (incident,) = scene.incidents
        assert incident.held and incident.resolution == Resolution.MANUAL and incident.verified_at is None
        assert scene.pages == []
        told = {fact.probe: fact.to_state for fact in scene.state.facts if isinstance(fact, Transition)}
        assert told["l7_http"] == told["host_unit"] == ConditionState.UNKNOWN  # nobody looks at what is held


async def test_what_was_down_on_purpose_does_not_count_for_an_incident_that_follows() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        host.sockets.answers[URL] = Answer(connected=True, status=500)
        await asyncio.sleep(10.0)
        await unit.by_hand("stop")
        await asyncio.sleep(600.0)
        started = seconds(scene)
        await unit.by_hand("start")
        await asyncio.sleep(60.0)
        _, second = scene.incidents
        assert second.issue_type == "http_error"
        assert second.first_bad_at.boottime_ns / 1e9 >= started


# What rests on what


def database(host: FakeHost) -> FakeUnit:
    return host.unit("postgresql.service", serves=DB_PORT)


async def test_what_a_failing_dependency_brings_down_is_explained_by_it_and_not_healed() -> None:
    host = FakeHost()
    db, unit = database(host), nginx(host)
    async with running(host, DB, APP) as scene:
        db.start_s = 15.0
        db.crash()
        unit.status = 503
        await asyncio.sleep(3.0)
        incidents = {incident.target: incident for incident in scene.incidents}
        assert incidents["web"].explained_by == incidents["db"].incident_id
        await asyncio.sleep(13.0)
        unit.status = 200
        await asyncio.sleep(60.0)
        assert all(incident.closed_at for incident in scene.incidents)
        assert [execution.target for execution in scene.remedies] == ["db"]


async def test_an_owner_whose_ladder_is_exhausted_stops_explaining() -> None:
    host = FakeHost()
    db, unit = database(host), nginx(host)
    async with running(host, DB, APP) as scene:
        db.broken = "no space left"
        db.crash()
        unit.crash()
        await asyncio.sleep(60.0)
        web = next(incident for incident in scene.incidents if incident.target == "web")
        assert web.explained_by == "" and web.closed_at and web.recovered_by == "restart_component"


async def test_a_remote_dependency_pages_and_nothing_that_needs_it_is_restarted() -> None:
    host = FakeHost()
    unit = nginx(host)
    remote = Endpoint("10.0.0.5", 5432)
    host.sockets.answers[remote] = Answer(connected=True)
    async with running(host, CLIENT) as scene:
        await asyncio.sleep(10.0)
        host.sockets.answers[remote] = Answer(connected=False, refused=True)
        unit.status = 503
        await asyncio.sleep(3600.0)
        assert host.done == [] and scene.pages == ["dependency_failed"]
        assert {incident.target for incident in scene.incidents} == {"web", REMOTE}
        host.sockets.answers[remote] = Answer(connected=True)
        unit.status = 200
        await asyncio.sleep(60.0)
        assert all(incident.closed_at for incident in scene.incidents)


async def test_a_case_goes_on_when_what_explained_it_is_over() -> None:
    host = FakeHost()
    unit = nginx(host)
    remote = Endpoint("10.0.0.5", 5432)
    host.sockets.answers[remote] = Answer(connected=True)
    async with running(host, quick(CLIENT, 2.0)) as scene:
        await asyncio.sleep(10.0)
        host.sockets.answers[remote] = Answer(connected=False, refused=True)
        unit.crash()
        await asyncio.sleep(30.0)
        assert host.done == []
        host.sockets.answers[remote] = Answer(connected=True)
        await asyncio.sleep(30.0)
        assert unit.up and scene.outcomes == [("restart_service", Outcome.HEALED)]


# An agent that was restarted


async def test_what_was_open_goes_on_after_a_restart_with_its_own_cause_and_beginning() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.crash()
        await asyncio.sleep(10.0)
        before = scene.incidents[0]
    host.units.state = slowly(host.units.state)  # type: ignore[method-assign,assignment]
    async with running(host, WEB, state=scene.state, settled=False) as scene:
        await asyncio.sleep(5.0)
        (incident,) = scene.incidents
        assert (incident.incident_id, incident.first_bad_at) == (before.incident_id, before.first_bad_at)
        assert incident.issue_type == "service_failed"
        assert unit.up and incident.closed_at and incident.resolution == Resolution.AUTO


def slowly(state: object) -> object:
    async def slow(unit: str) -> object:
        await asyncio.sleep(0.3)
        return await state(unit)  # type: ignore[operator]

    return slow


async def test_an_incident_of_what_is_no_longer_configured_is_closed() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.crash()
        await asyncio.sleep(10.0)
    async with running(host, DB, state=scene.state, settled=False) as scene:
        (incident,) = scene.incidents
        assert incident.closed_at and incident.held and incident.recovered_by == "configuration"


async def test_it_closes_once_good_even_if_it_was_mended_while_the_agent_was_away() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.crash()
        await asyncio.sleep(10.0)
    unit.come_up()
    async with running(host, WEB, state=scene.state, settled=False) as scene:
        await asyncio.sleep(10.0)
        assert [(i.resolution, bool(i.verified_at)) for i in scene.incidents] == [(Resolution.SPONTANEOUS, True)]


# One case's fault is not the others'


async def test_what_goes_wrong_with_one_case_is_tried_again_and_leaves_the_others_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    host = FakeHost()
    db, unit = database(host), nginx(host)
    async with running(host, DB, WEB) as scene:
        looks, broken = Case.looks, True

        def raises(case: Case) -> object:
            if broken and case.incident.target == "db":
                raise ZeroDivisionError("a bug")
            return looks(case)

        monkeypatch.setattr(Case, "looks", raises)
        db.crash()
        await asyncio.sleep(1.0)
        unit.crash()
        await asyncio.sleep(10.0)
        assert unit.up and ("restart_service", Outcome.HEALED) in scene.outcomes
        assert "broken" in scene.pages and "ZeroDivisionError" in caplog.text
        scene.assert_alive()
        broken = False
        await asyncio.sleep(120.0)
        assert all(incident.closed_at for incident in scene.incidents)


async def test_an_error_before_it_is_healed_ends_neither_the_case_nor_the_conducting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        with monkeypatch.context() as patched:
            patched.setattr(scene.agent.incidents, "_decide", lambda _: 1 / 0)
            unit.crash()
            await asyncio.sleep(10.0)
            assert host.done == []
            scene.assert_alive()
        await asyncio.sleep(30.0)
        assert unit.up and scene.incidents[0].closed_at


async def test_a_command_that_listens_some_time_after_its_start_is_seen_good_when_it_is() -> None:
    host = FakeHost()
    command = shop(host)
    async with running(host, SHOP) as scene:
        command.deaf_starts = 1
        command.crash()
        await asyncio.sleep(1.0)
        command.deaf = False
        good = seconds(scene)
        await asyncio.sleep(10.0)
        (incident,) = scene.incidents
        assert incident.verified_at and incident.verified_at.boottime_ns / 1e9 - good < 0.3


async def test_conducting_that_was_stopped_goes_on_with_what_is_open() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, playbooks={"restart_service": PlaybookSettings(cooldown_s=60.0)}) as scene:
        unit.crash()
        await asyncio.sleep(2.0)
        unit.crash()
        await asyncio.sleep(2.0)
        assert not unit.up  # it cools down
        scene.services[0].cancel()
        await asyncio.sleep(1.0)
        scene.services[0] = asyncio.ensure_future(scene.agent.incidents.run())
        await asyncio.sleep(120.0)
        assert unit.up and all(incident.closed_at for incident in scene.incidents)


async def test_ended_incidents_leave_nothing_behind() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        for _ in range(4):
            unit.crash()
            await asyncio.sleep(700.0)
        healer = scene.agent.healer
        assert len(scene.incidents) == 4 and scene.agent.incidents.open == {}
        assert (healer._denied, healer._observing._begun, healer._pager._sent) == ({}, set(), set())


async def test_what_rests_on_something_stopped_on_purpose_is_held_too_and_goes_on_when_that_is_back() -> None:
    host = FakeHost()
    db, unit = database(host), nginx(host)
    async with running(host, DB, APP) as scene:
        await db.by_hand("stop")
        unit.status = 503
        await asyncio.sleep(600.0)
        (incident,) = scene.incidents
        assert incident.held and incident.target == "web" and scene.pages == [] and scene.outcomes == []
        await db.by_hand("start")
        await asyncio.sleep(60.0)
        assert ("restart_service", Outcome.HEALED) in scene.outcomes and scene.incidents[0].closed_at


async def test_a_probe_that_asks_something_else_than_before_was_never_good() -> None:
    host = FakeHost()
    nginx(host)
    async with running(host, WEB) as scene:
        pass
    moved = msgspec.structs.replace(WEB, listen=Endpoint("0.0.0.0", 8081))
    async with running(host, moved, state=scene.state, settled=False) as scene:
        await asyncio.sleep(120.0)
        assert scene.incidents == [] and host.done == []


async def test_systemd_is_not_credited_with_restarts_from_before_an_incident_that_was_restored() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.restarts = 3
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.status = 500
        await asyncio.sleep(5.0)
    async with running(host, WEB, mode=Mode.OBSERVE, settled=False, state=scene.state) as scene:
        await asyncio.sleep(5.0)
        unit.status = 200
        await asyncio.sleep(5.0)
        assert [(i.resolution, i.recovered_by) for i in scene.incidents] == [(Resolution.SPONTANEOUS, "")]


async def test_what_systemd_has_just_started_gets_its_grace_and_no_more() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.restart_after_s = 0.1
    async with running(host, WEB) as scene:
        came_up = unit.come_up

        def hangs() -> None:
            came_up()
            unit.freeze()

        unit.come_up = hangs  # type: ignore[method-assign]
        unit.crash()
        await asyncio.sleep(WEB.start_grace_s - 1.0)
        assert host.done == [], scene.incidents
        await asyncio.sleep(6.0)
        assert host.done != [], scene.incidents
