import asyncio
from pathlib import Path

import msgspec
import pytest
from tests.agent.detection.host_watches import canary, watch_of
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import SHOP, URL, WEB, nginx, quick, running, shop, until
from tests.agent.playbooks.situations import situation

from guardian_agent.config import PlaybookSettings
from guardian_agent.healing.healer import _time_to_verify_s
from guardian_agent.host import Answer
from guardian_agent.host.operations import (
    KillUnit,
    Operation,
    RestartUnit,
    RunProgram,
    StartCommand,
    StartUnit,
    StopUnit,
)
from guardian_agent.model import Component, Endpoint, Mode, Outcome, Resolution

HEALED, INEFFECTIVE, DENIED, ROLLED_BACK = Outcome.HEALED, Outcome.INEFFECTIVE, Outcome.DENIED, Outcome.ROLLED_BACK
PATIENT_ONCE = quick(WEB, 2.0)


async def test_a_crashed_service_is_started_again_and_counted_as_healed() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        unit.crash()
        await asyncio.sleep(2.0)
        assert unit.active_state == "active" and host.changes() == ["systemctl start nginx.service"]
        (incident,) = scene.incidents
        assert (incident.resolution, incident.recovered_by) == (Resolution.AUTO, "restart_service")
        (execution,) = scene.remedies
        assert (execution.outcome, execution.incident_id) == (HEALED, incident.incident_id)
        order = [incident.detected_at, incident.decided_at, incident.action_started_at, incident.action_finished_at]
        order += [incident.verified_at, incident.closed_at]
        known = [stamp.boottime_ns for stamp in order if stamp]
        assert len(known) == 6 and known == sorted(known)
        assert scene.pages == []


async def test_a_frozen_service_is_killed_first_and_back_within_seconds() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        unit.freeze()
        assert await until(lambda: bool(scene.incidents and scene.incidents[0].closed_at)) < 8.0
        assert [type(operation) for operation in host.done] == [KillUnit, RestartUnit]
        assert scene.incidents[0].issue_type == "service_hung" and scene.outcomes == [("restart_service", HEALED)]


async def test_a_service_whose_first_start_does_nothing_is_put_back_and_healed_by_the_next_rung() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        host.script(StartUnit, "lies")
        unit.crash()
        await asyncio.sleep(60.0)
        assert scene.outcomes == [("restart_service", INEFFECTIVE), ("restart_component", HEALED)]
        assert host.changes()[:2] == ["systemctl start nginx.service", "systemctl stop nginx.service"]
        assert scene.incidents[0].closed_at and scene.incidents[0].recovered_by == "restart_component"


async def test_a_remedy_that_mended_the_cause_only_is_followed_by_one_for_the_rest() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, PATIENT_ONCE) as scene:
        unit.deaf_starts = 1
        unit.crash()
        await asyncio.sleep(60.0)
        assert scene.outcomes == [("restart_service", HEALED), ("restart_component", HEALED)]
        assert [e.issue_type for e in scene.remedies] == ["service_failed", "port_not_listening"]
        assert len(scene.incidents) == 1 and scene.incidents[0].closed_at


async def test_a_command_that_was_killed_frozen_or_gone_deaf_is_back() -> None:
    host = FakeHost()
    command = shop(host)
    async with running(host, SHOP) as scene:
        for harm, issue_type in [
            (command.crash, "process_crashed"),
            (command.freeze, "service_hung"),
            (lambda: setattr(command, "deaf", True), "port_not_listening"),
        ]:
            harm()
            await asyncio.sleep(900.0)
            assert command.up and not command.frozen and not command.deaf
            assert scene.incidents[-1].issue_type == issue_type and scene.incidents[-1].closed_at
        assert {outcome for _, outcome in scene.outcomes} == {HEALED}
        assert any(isinstance(operation, StartCommand) for operation in host.done)


async def test_a_ladder_that_is_exhausted_pages_once_and_is_begun_anew_after_the_back_off() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        unit.broken = "exit code 1"
        unit.crash()
        await asyncio.sleep(1.0)
        assert scene.outcomes == [("restart_service", ROLLED_BACK), ("restart_component", ROLLED_BACK)]
        assert scene.pages == ["ladder_exhausted"] and scene.incidents[0].exhausted
        await asyncio.sleep(3600.0)
        assert 4 < len(scene.outcomes) < 24 and scene.pages == ["ladder_exhausted"]
        assert [playbook for playbook, _ in scene.outcomes[2:4]] == ["restart_service", "restart_component"]
        unit.broken = ""
        await asyncio.sleep(2 * 3600.0)
        assert unit.up and scene.incidents[0].closed_at and scene.outcomes[-1][1] == HEALED


async def test_an_exhausted_incident_pages_no_second_time_after_a_restart_of_the_agent() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        unit.broken = "exit code 1"
        unit.crash()
        await asyncio.sleep(5.0)
    async with running(host, WEB, state=scene.state, settled=False) as scene:
        await asyncio.sleep(600.0)
        assert scene.pages == ["ladder_exhausted"] and len(scene.outcomes) > 2


async def test_each_further_attempt_waits_longer_and_health_forgets_that() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        waits = []
        for _ in range(3):
            unit.crash()
            waits.append(await until(lambda: unit.up))
            await asyncio.sleep(5.0)
        assert waits[0] < 1.0 and 3.0 < waits[1] <= 10.0 and 13.0 < waits[2] <= 20.0
        await asyncio.sleep(700.0)
        unit.crash()
        await asyncio.sleep(1.0)
        assert unit.up and len(scene.outcomes) == 4


async def test_a_recurrence_at_the_end_of_the_healthy_time_does_not_become_healthy_while_it_fails() -> None:
    host = FakeHost()
    unit = nginx(host)
    slow = {"restart_service": PlaybookSettings(cooldown_s=1200.0)}
    async with running(host, WEB, playbooks=slow) as scene:
        unit.crash()
        await asyncio.sleep(590.0)
        unit.crash()
        await asyncio.sleep(1000.0)
        assert unit.up and len(scene.outcomes) == 2
        unit.crash()
        await asyncio.sleep(1200.0)
        assert not unit.up  # the third waits for 2400 s


async def test_two_issue_types_of_one_incident_are_both_forgotten_after_health() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, PATIENT_ONCE, ladders={"service_failed": ("restart_service",)}) as scene:
        unit.deaf_starts = 1
        unit.crash()
        await asyncio.sleep(0.2)
        unit.active_state = "active"  # by whomever, and it still does not listen
        await asyncio.sleep(300.0)
        issues = {execution.issue_type for execution in scene.remedies}
        assert len(issues) == 2 and scene.incidents[-1].closed_at
        await asyncio.sleep(700.0)
        now = host.clock.now()
        progress = scene.agent.ladder_memory._progress
        assert {key: kept.at(now).in_a_row for key, kept in progress.items()} == dict.fromkeys(progress, 0)


async def test_systemd_goes_first() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.restart_after_s = 5.0
    async with running(host, WEB) as scene:
        unit.crash()
        await asyncio.sleep(30.0)
        assert host.done == [] and set(scene.outcomes) <= {("restart_service", Outcome.SUPERSEDED)}
        assert (scene.incidents[0].resolution, scene.incidents[0].recovered_by) == (Resolution.SPONTANEOUS, "systemd")


async def test_systemd_is_waited_for_no_longer_than_the_components_grace() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.restart_after_s = 3600.0
    async with running(host, quick(WEB, 5.0)) as scene:
        unit.crash()
        await asyncio.sleep(4.5)
        assert host.done == []
        await asyncio.sleep(5.0)
        assert scene.outcomes == [("restart_service", HEALED)]


async def test_a_denied_case_goes_on_once_the_brake_is_released(tmp_path: Path) -> None:
    host = FakeHost()
    unit = nginx(host)
    hold = tmp_path / "hold"
    hold.touch()
    async with running(host, WEB, hold_file=hold) as scene:
        unit.crash()
        await asyncio.sleep(3600.0)
        assert host.done == [] and scene.outcomes == [("restart_service", DENIED)] and scene.pages == ["denied"]
        hold.unlink()
        await asyncio.sleep(2.0)
        assert scene.outcomes[1:] == [("restart_service", HEALED)] and scene.incidents[0].closed_at


async def test_a_refusal_is_recorded_once_however_often_the_ladder_is_begun_anew() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, protected=["nginx.service"]) as scene:
        unit.crash()
        await asyncio.sleep(4 * 3600.0)
        assert host.done == []
        assert scene.outcomes == [("restart_service", DENIED), ("restart_component", DENIED)]
        assert scene.pages == ["ladder_exhausted"]


async def test_two_components_that_fail_at_once_are_healed_one_after_the_other() -> None:
    host = FakeHost()
    port = Endpoint("127.0.0.1", 5432)
    db, unit = host.unit("postgresql.service", serves=port), nginx(host)
    db.start_s = unit.start_s = 3.0
    async with running(host, WEB, Component(name="db", unit="postgresql.service", listen=port)) as scene:
        db.crash()
        unit.crash()
        await asyncio.sleep(60.0)
        first, second = sorted(scene.remedies, key=lambda execution: execution.started_at.boottime_ns)
        assert (first.outcome, second.outcome) == (HEALED, HEALED) and first.finished_at
        assert second.started_at.seconds_since(first.finished_at) >= 0.0


async def test_what_was_mended_by_hand_while_another_was_healed_is_planned_anew_and_left_alone() -> None:
    host = FakeHost()
    port = Endpoint("127.0.0.1", 5432)
    db, unit = host.unit("postgresql.service", serves=port), nginx(host)
    db.start_s = 10.0
    async with running(host, PATIENT_ONCE, Component(name="db", unit="postgresql.service", listen=port)) as scene:
        db.crash()
        await asyncio.sleep(0.1)
        unit.crash()
        await asyncio.sleep(1.0)
        await unit.by_hand("start")
        unit.status = 500  # up, by hand, and not well
        await asyncio.sleep(30.0)
        assert not any(isinstance(operation, StopUnit) for operation in host.done)
        assert unit.up and all(incident.closed_at for incident in scene.incidents)


async def test_while_another_was_healed_somebody_began_a_restart_and_it_is_not_replaced_by_ours() -> None:
    host = FakeHost()
    port = Endpoint("127.0.0.1", 5432)
    db, unit = host.unit("postgresql.service", serves=port), nginx(host)
    async with running(host, WEB, Component(name="db", unit="postgresql.service", listen=port)) as scene:
        db.start_s, unit.start_s = 8.0, 6.0
        db.crash()
        await asyncio.sleep(0.1)
        host.sockets.answers[URL] = Answer(connected=True, status=500)
        await asyncio.sleep(4.0)
        assert "web" in scene.agent.incidents.open
        restart = asyncio.ensure_future(unit.by_hand("restart"))
        await asyncio.sleep(5.5)
        assert db.up and not restart.done()
        assert not any(isinstance(operation, RestartUnit) for operation in host.done)
        await restart
        await asyncio.sleep(WEB.start_grace_s - 1.0)
        assert not any(isinstance(operation, RestartUnit) for operation in host.done)
        await asyncio.sleep(5.0)
        assert any(isinstance(operation, RestartUnit) for operation in host.done)


async def test_a_slow_starter_that_somebody_starts_again_is_left_to_come_up() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        came_up = unit.come_up

        def binds_late() -> None:
            came_up()
            unit.deaf = True
            asyncio.get_running_loop().call_later(8.0, setattr, unit, "deaf", False)

        unit.come_up = binds_late  # type: ignore[method-assign]
        await unit.by_hand("restart")
        await asyncio.sleep(60.0)
        assert host.done == [] and scene.incidents == []


async def test_a_stop_by_hand_between_two_steps_is_not_undone_by_the_next() -> None:
    host = FakeHost()
    unit = nginx(host)
    drained = msgspec.structs.replace(WEB, drain=("/usr/bin/drain",))
    async with running(host, drained) as scene:
        do = host.do

        async def stopped_meanwhile(operation: Operation, undo: Operation | None = None) -> None:
            await do(operation)
            if isinstance(operation, RunProgram):
                await unit.by_hand("stop")
                await asyncio.sleep(0.1)

        host.do = stopped_meanwhile  # type: ignore[method-assign]
        unit.status = 500
        await asyncio.sleep(600.0)
        assert any(isinstance(operation, RunProgram) for operation in host.done)
        assert not unit.up and not any(isinstance(operation, RestartUnit) for operation in host.done)
        assert scene.pages == []


async def test_a_service_stopped_by_hand_during_its_remedy_is_held_and_nobody_is_paged() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        host.script(StartUnit, "lies")
        unit.crash()
        await asyncio.sleep(2.0)
        await unit.by_hand("stop")
        await asyncio.sleep(600.0)
        assert not unit.up and scene.pages == [] and scene.outcomes == [("restart_service", INEFFECTIVE)]
        assert scene.incidents[-1].held and scene.incidents[-1].closed_at


async def test_an_inconclusive_remedy_waits_with_the_next_rung_and_pages_after_the_grace() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        unit.crash()
        await asyncio.sleep(0.02)
        host.units.unreachable = "the bus is gone"
        await asyncio.sleep(20.5)
        assert scene.outcomes == [("restart_service", Outcome.INCONCLUSIVE)] and scene.pages == []
        await asyncio.sleep(25.0)
        assert scene.pages == ["inconclusive"] and host.changes() == ["systemctl start nginx.service"]
        host.units.unreachable = ""
        await asyncio.sleep(30.0)
        assert scene.incidents[0].closed_at and len(scene.outcomes) == 1


async def test_where_nobody_can_tell_whether_the_fault_is_still_there_nothing_is_done() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, playbooks={"restart_service": PlaybookSettings(cooldown_s=60.0)}) as scene:
        unit.crash()
        await asyncio.sleep(10.0)
        unit.crash()
        await asyncio.sleep(10.0)  # it cools down
        unit.active_state, unit.sub_state = "activating", "start"  # nobody's job, and no answer for long
        done = list(host.done)
        await asyncio.sleep(300.0)
        assert host.done == done and scene.pages == ["inconclusive"]


async def test_a_component_without_a_remedy_pages_and_is_diagnosed() -> None:
    host = FakeHost()
    nginx(host)
    bare = Component(name="bare", listen=Endpoint("0.0.0.0", 80))
    async with running(host, bare) as scene:
        host.units.by_name["nginx.service"].crash()
        await asyncio.sleep(600.0)
        assert host.done == [] and scene.pages == ["ladder_exhausted"]
        observed = [(e.playbook, e.outcome) for e in scene.state.executions()]
        assert observed == [("diagnose_network", Outcome.COMPLETED), ("run_diagnostics", Outcome.COMPLETED)]


async def test_the_diagnosis_runs_beside_the_remedy_once_for_each_incident() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        unit.broken = "exit code 1"
        unit.crash()
        await asyncio.sleep(3600.0)
        diagnoses = [e for e in scene.state.executions() if e.playbook == "diagnose_network"]
        assert [e.outcome for e in diagnoses] == [Outcome.COMPLETED]
        assert diagnoses[0].evidence["lowest_failing_layer"] == "host"


async def test_in_observe_mode_nothing_is_done_and_one_dry_run_says_what_would_be() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.crash()
        await asyncio.sleep(3600.0)
        assert host.done == [] and scene.outcomes == [("restart_service", Outcome.DRY_RUN)]
        assert [step.describe for step in scene.remedies[0].steps] == ["systemctl start nginx.service"]
        assert scene.pages == []


async def test_a_playbook_with_a_bug_pages_and_its_case_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        gate = scene.agent.gate
        with monkeypatch.context() as patched:
            patched.setattr(gate, "refusal", lambda *_: 1 / 0)
            unit.crash()
            await asyncio.sleep(10.0)
            assert scene.pages == ["broken"]
        await asyncio.sleep(120.0)
        assert scene.outcomes == [("restart_service", HEALED)] and scene.incidents[0].closed_at
        scene.assert_alive()


async def test_a_first_start_that_only_needed_longer_is_no_second_remedy() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.start_s = 15.0
    async with running(host, WEB) as scene:
        unit.crash()
        await asyncio.sleep(60.0)
        assert [type(operation) for operation in host.done] == [StartUnit]
        assert scene.outcomes == [("restart_service", HEALED)]


async def test_what_rests_on_something_stopped_on_purpose_is_left_alone() -> None:
    host = FakeHost()
    database = host.unit("database.service")
    unit = nginx(host)
    front = msgspec.structs.replace(WEB, depends_on=("database",))
    async with running(host, Component(name="database", unit="database.service"), front) as scene:
        await database.by_hand("stop")
        unit.crash()
        await asyncio.sleep(60.0)
        assert scene.outcomes == [] and scene.pages == [] and scene.incidents[0].held
        assert not any("nginx" in change for change in host.changes())


# What outranks what a human was called for


@pytest.mark.parametrize("open_s", [10.0, 90.5])
async def test_a_crash_is_not_hidden_by_a_lesser_issue_that_nobody_could_mend(open_s: float) -> None:
    host = FakeHost()
    unit, lesser = nginx(host), canary("l6_lesser", issue="secret_expiring")
    async with running(host, WEB, watches=[watch_of(lesser, "web")]) as scene:
        lesser.good = False
        await asyncio.sleep(open_s)
        assert scene.pages == ["ladder_exhausted"] and scene.incidents[0].exhausted
        unit.crash()
        assert await until(lambda: host.done != []) < 0.1
        await asyncio.sleep(30.0)
        assert scene.outcomes == [("restart_service", HEALED)] and scene.pages == ["ladder_exhausted"]
        assert scene.incidents[0].issue_type == "secret_expiring" and scene.incidents[0].exhausted


async def test_a_crash_that_cannot_be_mended_is_paged_although_something_lesser_was_before() -> None:
    host = FakeHost()
    unit, lesser = nginx(host), canary("l6_lesser", issue="secret_expiring")
    async with running(host, WEB, watches=[watch_of(lesser, "web")]) as scene:
        lesser.good = False
        await asyncio.sleep(100.0)
        unit.broken = "exit code 1"
        unit.crash()
        await asyncio.sleep(5.0)
        assert [page.text.partition(":")[0] for page in scene.state.pages()] == ["secret_expiring", "service_failed"]
        await asyncio.sleep(200.0)
        assert len(scene.pages) == 2


async def test_in_observe_mode_a_crash_during_a_lesser_issue_gets_its_dry_run() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        unit.status = 500
        await asyncio.sleep(60.0)
        unit.crash()
        await asyncio.sleep(1.0)
        assert scene.remedies[-1].steps[0].describe == "systemctl start nginx.service"


@pytest.mark.parametrize(("grace_s", "streak_s", "limit_s"), [(5.0, 2.5, 5.0), (5.0, 13.0, 13.0), (5.0, 900.0, 60.0)])
def test_a_verdict_is_waited_for_as_long_as_its_looks_take(grace_s: float, streak_s: float, limit_s: float) -> None:
    class SlowCase:
        component = quick(WEB, grace_s)
        incident = situation(WEB).incident

        def streak_s(self, probe_id: str) -> float:
            return streak_s

    assert _time_to_verify_s(SlowCase()) == limit_s  # type: ignore[arg-type]
