"""Each outcome of an execution, and what leads to it; the law of them all is in test_engine_law.py."""

import asyncio
from pathlib import Path

import pytest
from tests.agent.detection.host_watches import canary, watch_of
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB, Scene, nginx, quick, running, until

from guardian_agent.config import PlaybookSettings
from guardian_agent.errors import ProbeError, TakenBackError
from guardian_agent.host.operations import KillUnit, RestartUnit, StartUnit, StopUnit
from guardian_agent.model import Mode, Outcome, StepState
from guardian_agent.playbooks.auto_heal.restart_service import RestartService

ONE_RUNG = {"service_failed": ("restart_service",), "service_hung": ("restart_service",)}


async def crashed(scene: Scene, wait_s: float = 30.0) -> tuple[Outcome | None, str, list[StepState]]:
    """The first execution after a crash of nginx."""
    scene.host.units.by_name["nginx.service"].crash()
    await asyncio.sleep(wait_s)
    execution = scene.remedies[0]
    return execution.outcome, execution.reason, [step.state for step in execution.steps]


async def test_healed_is_what_the_detecting_probe_saw_good_often_enough() -> None:
    host = FakeHost()
    nginx(host)
    async with running(host, WEB) as scene:
        assert await crashed(scene) == (Outcome.HEALED, "host_unit is good again", [StepState.APPLIED])
        (execution,) = scene.remedies
        assert execution.verified_at and execution.finished_at
        assert execution.verified_at.seconds_since(execution.started_at) > 0.0
        assert execution.finished_at.seconds_since(execution.verified_at) > 0.0


async def test_ineffective_ran_and_is_undone() -> None:
    host = FakeHost()
    nginx(host)
    async with running(host, WEB, ladders=ONE_RUNG) as scene:
        host.script(StartUnit, "lies")
        outcome = await crashed(scene)
        assert outcome == (Outcome.INEFFECTIVE, "host_unit still sees service_failed", [StepState.UNDONE])
        assert [type(operation) for operation in host.done] == [StartUnit, StopUnit]


async def test_what_is_read_afterwards_is_kept_and_what_cannot_be_changes_no_outcome(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hangs(*_: object) -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    async def raises(*_: object) -> dict[str, object]:
        raise ProbeError("nobody tells")

    async def tells(*_: object) -> dict[str, object]:
        return {"after": 1}

    for evidence_after, kept in [(tells, {"after": 1}), (raises, {}), (hangs, {})]:
        monkeypatch.setattr(RestartService, "evidence_after", evidence_after)
        host = FakeHost()
        nginx(host)
        async with running(host, WEB) as scene:
            assert (await crashed(scene))[0] == Outcome.HEALED
            assert scene.remedies[0].evidence == kept


async def test_what_makes_another_probe_worse_is_ineffective_although_the_detecting_one_is_good() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, quick(WEB, 5.0), ladders={"http_error": ("restart_service",)}) as scene:
        host.script(RestartUnit, "lies")
        unit.status = 500
        await asyncio.sleep(2.0)
        assert scene.case().acting
        unit.status, unit.serves = 200, None  # answers again, and no longer listens
        await asyncio.sleep(10.0)
        execution, *_ = scene.remedies
        assert execution.outcome == Outcome.INEFFECTIVE
        assert execution.reason.startswith("l7_http is good again, but l4_") and execution.reason.endswith("is not")


async def test_rolled_back_says_which_step_failed_and_why() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, ladders=ONE_RUNG) as scene:
        unit.broken = "exit code 1"
        outcome, reason, states = await crashed(scene)
        assert outcome == Outcome.ROLLED_BACK and states == [StepState.UNDONE]
        assert reason == "systemctl start nginx.service: exit code 1"


async def test_a_step_that_hangs_is_given_up_and_one_with_a_bug_has_failed() -> None:
    for behaviour, said in [("hangs", "not done within 120 s"), ("raises", "LookupError: a bug")]:
        host = FakeHost()
        nginx(host)
        async with running(host, WEB, ladders=ONE_RUNG) as scene:
            host.script(StartUnit, behaviour)  # type: ignore[arg-type]
            outcome, reason, states = await crashed(scene, 150.0)
            assert outcome == Outcome.ROLLED_BACK and states == [StepState.UNDONE] and said in reason
            scene.assert_alive()


async def test_stuck_pages_and_disables_the_playbook_here() -> None:
    host = FakeHost()
    nginx(host)
    async with running(host, WEB, ladders=ONE_RUNG) as scene:
        host.script(StartUnit, "half")
        host.script(StopUnit, "fails")
        outcome, reason, states = await crashed(scene)
        assert outcome == Outcome.STUCK and states == [StepState.UNDO_FAILED]
        assert "nobody knows how it ended; and undoing failed: systemctl stop nginx.service: refused" in reason
        assert "stuck" in scene.pages and "restart_service" in scene.agent.gate.disabled
        assert set(scene.state.memory["disabled"]) == {"restart_service"}


async def test_inconclusive_undoes_nothing() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, ladders=ONE_RUNG) as scene:
        unit.crash()
        await asyncio.sleep(0.01)
        host.units.unreachable = "no bus"
        await asyncio.sleep(30.0)
        (execution,) = scene.remedies
        assert (execution.outcome, execution.reason) == (Outcome.INCONCLUSIVE, "host_unit: no bus")
        assert unit.up and not any(isinstance(operation, StopUnit) for operation in host.done)


async def test_denied_says_by_what(tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    for settings, reason in [
        ({"hold_file": hold}, f"the hold file {hold} is there"),
        ({"actions_per_hour": 0}, "0 actions within the last hour, and actions_per_hour is 0"),
        ({"protected": ["nginx.service"]}, "nginx.service is protected"),
    ]:
        host = FakeHost()
        nginx(host)
        async with running(host, WEB, ladders=ONE_RUNG, **settings) as scene:  # type: ignore[arg-type]
            assert await crashed(scene) == (Outcome.DENIED, reason, [StepState.PLANNED])
            assert host.done == []


async def test_what_the_aggregator_forbids_is_denied_until_it_allows_it_again() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        scene.agent.brakes.acting_allowed = False
        assert (await crashed(scene))[:2] == (Outcome.DENIED, "the aggregator does not allow acting")
        scene.agent.brakes.acting_allowed = True
        await asyncio.sleep(2.0)
        assert unit.up


async def test_superseded_was_good_again_before_anything_was_done() -> None:
    host = FakeHost()
    unit = nginx(host)
    cooling = {"restart_service": PlaybookSettings(cooldown_s=30.0)}
    async with running(host, quick(WEB, 1.0), playbooks=cooling) as scene:
        unit.crash()
        await asyncio.sleep(5.0)
        unit.status = 500  # the incident of before is over; this one cools down
        unit.crash()
        await asyncio.sleep(24.0)
        unit.come_up()
        unit.status = 500
        await asyncio.sleep(3.0)
        assert scene.outcomes[1:2] == [("restart_service", Outcome.SUPERSEDED)]
        assert scene.remedies[1].reason == "host_unit was good again before anything was done"
        assert [operation.describe() for operation in host.done[1:]] == ["systemctl restart nginx.service"]


async def test_a_bad_look_is_not_repeated_before_acting_while_it_is_no_older_than_it_took() -> None:
    host = FakeHost()
    unit = nginx(host)
    below = watch_of(canary("host_cpu", takes_s=1.0), interval_s=100.0)  # so long does it take to decide
    async with running(host, WEB, ladders=ONE_RUNG, watches=[below]) as scene:
        await asyncio.sleep(10.0)
        unit.waiting = 1  # seen by a look of two seconds
        await until(lambda: bool(scene.remedies), within_s=20.0)
        (incident,) = scene.incidents
        assert incident.action_started_at
        assert incident.action_started_at.seconds_since(incident.detected_at) < 2.0


async def test_dry_run_plans_and_does_nothing() -> None:
    host = FakeHost()
    nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        reason = "mode is observe: this is what would be done"
        assert await crashed(scene) == (Outcome.DRY_RUN, reason, [StepState.PLANNED])
        assert host.done == [] and scene.agent.brakes.refusal(host.clock.now()) == ""


async def test_completed_is_what_only_observed_also_when_it_found_nothing_out() -> None:
    host = FakeHost()
    nginx(host)
    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        await crashed(scene)
        (diagnosis,) = [e for e in scene.state.executions() if e.playbook == "diagnose_network"]
        assert diagnosis.outcome == Outcome.COMPLETED and diagnosis.steps == []
        assert diagnosis.reason.startswith("The lowest failing layer is host")


async def test_an_action_counts_against_the_hour_and_the_day_before_it_is_done() -> None:
    host = FakeHost()
    nginx(host)
    async with running(host, WEB, actions_per_hour=1, ladders=ONE_RUNG) as scene:
        host.script(StartUnit, "hangs")
        scene.host.units.by_name["nginx.service"].crash()
        await asyncio.sleep(1.0)
        assert scene.agent.brakes.refusal(host.clock.now())
        assert set(scene.state.memory["brakes"]) == {"actions"}
        assert set(scene.state.memory["ladder"]) == {"web/service_failed"}


async def test_where_the_journal_cannot_be_written_nothing_is_done_and_what_was_done_is_undone() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, ladders=ONE_RUNG) as scene:
        scene.state.failing = "the disk is full"
        unit.crash()
        await asyncio.sleep(30.0)
        assert host.done == []
        scene.assert_alive()
        scene.state.failing = ""
        await asyncio.sleep(120.0)
        assert unit.up
        host.done.clear()
        unit.crash()
        await asyncio.sleep(0.001)
    host = FakeHost()
    unit = nginx(host)
    unit.start_s = 5.0
    async with running(host, WEB, ladders=ONE_RUNG) as scene:
        host.script(StartUnit, "half")
        unit.crash()
        await asyncio.sleep(1.0)
        scene.state.failing = "the disk is full"
        await asyncio.sleep(30.0)
        assert [type(operation) for operation in host.done][:2] == [StartUnit, StopUnit] and not unit.up


async def test_a_remedy_in_flight_is_drained_and_verified_although_the_scheduler_has_ended() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.start_s = 2.0
    async with running(host, WEB) as scene:
        unit.crash()
        await asyncio.sleep(1.0)
        scene.services[2].cancel()  # services stop in reverse
        await scene.agent.drain(40.0)
        assert scene.outcomes == [("restart_service", Outcome.HEALED)]


async def test_a_frozen_service_is_killed_before_it_is_asked_to_restart() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, ladders=ONE_RUNG) as scene:
        unit.freeze()
        await asyncio.sleep(10.0)
        assert [type(operation) for operation in host.done] == [KillUnit, RestartUnit]
        assert scene.outcomes == [("restart_service", Outcome.HEALED)]


def gone(host: FakeHost) -> None:
    """An executor that had not heard of this agent in time."""

    async def keep(*, of_others: bool = False) -> None:
        raise TakenBackError("taken back by the executor: nothing was heard")

    host.keep = keep  # type: ignore[method-assign]


async def test_what_the_executor_took_back_meanwhile_is_not_healed_though_it_looks_good() -> None:
    host = FakeHost()
    nginx(host)
    gone(host)
    async with running(host, WEB, ladders=ONE_RUNG) as scene:
        outcome = await crashed(scene)
        assert outcome == (
            Outcome.ROLLED_BACK,
            "taken back by the executor: nothing was heard",
            [StepState.UNDONE],  # the rest of it, too
        )


async def test_what_does_not_help_is_taken_back_whoever_does_it() -> None:
    host = FakeHost()
    nginx(host)
    gone(host)
    async with running(host, WEB, ladders=ONE_RUNG) as scene:
        host.script(StartUnit, "lies")
        assert await crashed(scene) == (
            Outcome.INEFFECTIVE,
            "host_unit still sees service_failed",
            [StepState.UNDONE],
        )
