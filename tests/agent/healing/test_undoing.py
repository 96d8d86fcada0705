"""What an operator has stopped, or held, while a remedy was at work: it is taken back, and never against them."""

import asyncio
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_workloads import FakeUnit
from tests.agent.healing.scene import WEB, Scene, nginx, running, until
from tests.agent.playbooks.auto_heal.test_rollback_deployment import CURRENT, FULL_WEB, deployed
from tests.agent.playbooks.test_playbooks import NoJournal

from guardian_agent.config import PlaybookSettings
from guardian_agent.errors import RefusedOperationError
from guardian_agent.host import Host
from guardian_agent.host.operations import (
    DeleteNeighbour,
    Operation,
    PutBackSecret,
    ReloadUnit,
    RestartUnit,
    RunProgram,
    SetNeighbour,
    StartUnit,
    StopUnit,
    SwitchRelease,
    to_json,
)
from guardian_agent.model import Component, Outcome, StepRecord, StepState, Tier
from guardian_agent.playbooks.auto_heal.restart_service import RestartService
from guardian_agent.playbooks.auto_heal.rollback_deployment import RollbackDeployment
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step, Verdict
from guardian_agent.playbooks.steps import FREE, PostponedError, Restraint, StuckError, undo_steps

ONE_RUNG: dict[str, Any] = {
    "ladders": {"http_error": ("rollback_deployment",)},
    "playbooks": {"rollback_deployment": PlaybookSettings(tier=Tier.AUTOMATIC)},
}
GOOD, BAD = "releases/1", "releases/2"
BY_HAND = "nginx.service was stopped by hand"


def bad_release() -> tuple[FakeHost, FakeUnit]:
    host = deployed()
    host.script(RestartUnit, "lies")
    return host, host.units.by_name["nginx.service"]


async def rolled_back_in_vain(scene: Scene, unit: FakeUnit) -> None:
    """Up to the middle of the look that will show that the older release is no better."""
    scene.host.known.good = msgspec.structs.replace(scene.host.known.good, releases={"web": GOOD})
    unit.status = 500
    await until(lambda: any(isinstance(operation, RestartUnit) for operation in scene.host.done))
    await asyncio.sleep(3.0)
    assert target(scene.host) == GOOD


def target(host: FakeHost) -> str:
    state = host.files.states[CURRENT]
    assert state is not None
    return state.target


async def test_what_is_stopped_by_hand_between_two_steps_stays_stopped_and_the_rest_is_undone() -> None:
    host = deployed()
    unit = host.units.by_name["nginx.service"]
    drained = msgspec.structs.replace(FULL_WEB, drain=("/usr/bin/drain",))
    do = host.do

    async def stopped_while_it_drains(operation: Operation, undo: Operation | None = None) -> None:
        await do(operation, undo)
        if isinstance(operation, RunProgram):
            await unit.by_hand("stop")
            await asyncio.sleep(0.1)

    host.do = stopped_while_it_drains  # type: ignore[method-assign]
    async with running(host, drained, **ONE_RUNG) as scene:
        host.known.good = msgspec.structs.replace(host.known.good, releases={"web": GOOD})
        unit.status = 500
        await asyncio.sleep(120.0)
        (execution,) = scene.remedies
        assert execution.outcome == Outcome.ROLLED_BACK and not unit.up and target(host) == BAD
        assert execution.reason.endswith(f"not undone: systemctl restart nginx.service: {BY_HAND}")
        reset, switched, *_ = execution.steps
        assert (reset.state, switched.state) == (StepState.APPLIED, StepState.UNDONE)
        assert reset.error == f"left out: systemctl restart nginx.service: {BY_HAND}"
        assert scene.agent.holds.reason("web") == BY_HAND
        assert scene.incidents[0].closed_at and scene.incidents[0].held


async def test_what_is_stopped_by_hand_while_it_is_looked_at_stays_stopped_and_the_rest_is_undone() -> None:
    host, unit = bad_release()
    async with running(host, FULL_WEB, **ONE_RUNG) as scene:
        await rolled_back_in_vain(scene, unit)
        await unit.by_hand("stop")
        await asyncio.sleep(120.0)
        assert scene.outcomes == [("rollback_deployment", Outcome.INEFFECTIVE)]
        assert not unit.up and target(host) == BAD and scene.agent.holds.reason("web") == BY_HAND


async def test_what_needs_something_that_was_stopped_by_hand_is_not_started_by_an_undo() -> None:
    host, unit = bad_release()
    database = host.unit("database.service")
    front = msgspec.structs.replace(FULL_WEB, depends_on=("database",))
    async with running(host, front, Component(name="database", unit="database.service"), **ONE_RUNG) as scene:
        await rolled_back_in_vain(scene, unit)
        await database.by_hand("stop")
        n = len(host.done)
        await until(lambda: scene.outcomes[0][1] is not None)
        assert [type(operation) for operation in host.done[n:]] == [SwitchRelease] and not database.up


async def test_under_the_hold_file_nothing_is_taken_back_until_it_is_gone(tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    host, unit = bad_release()
    async with running(host, FULL_WEB, hold_file=hold, **ONE_RUNG) as scene:
        await rolled_back_in_vain(scene, unit)
        hold.touch()
        n = len(host.done)
        await asyncio.sleep(600.0)
        assert host.done[n:] == [] and scene.outcomes == [("rollback_deployment", None)]
        assert scene.pages == ["denied"] and scene.agent.gate.disabled == {} and scene.case().acting
        hold.unlink()
        await until(lambda: scene.outcomes[0][1] is not None, within_s=5.0)
        (execution,) = scene.remedies
        assert execution.outcome == Outcome.INTERRUPTED and target(host) == BAD
        assert execution.reason.startswith(f"l7_http still sees http_error; the hold file {hold} is there")
        await asyncio.sleep(30.0)
        assert not scene.agent.incidents.open or not scene.case().acting


async def test_what_waits_for_the_hold_is_taken_back_by_the_agents_next_life(tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    host, unit = bad_release()
    async with running(host, FULL_WEB, hold_file=hold, **ONE_RUNG) as scene:
        await rolled_back_in_vain(scene, unit)
        hold.touch()
        await asyncio.sleep(60.0)
        state = scene.state
    async with running(host, FULL_WEB, hold_file=hold, state=state, settled=False, **ONE_RUNG) as scene:
        n = len(host.done)
        await asyncio.sleep(60.0)
        assert host.done[n:] == [] and scene.remedies[0].outcome is None
        hold.unlink()
        await asyncio.sleep(5.0)
        assert scene.remedies[0].outcome == Outcome.INTERRUPTED and target(host) == BAD


async def test_what_somebody_has_mended_under_the_hold_file_is_kept(tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    host, unit = bad_release()
    async with running(host, FULL_WEB, hold_file=hold, **ONE_RUNG) as scene:
        await rolled_back_in_vain(scene, unit)
        hold.touch()
        await asyncio.sleep(60.0)
        unit.status = 200
        n = len(host.done)
        hold.unlink()
        await asyncio.sleep(60.0)
        assert host.done[n:] == [] and scene.outcomes == [("rollback_deployment", Outcome.INTERRUPTED)]
        assert (
            scene.remedies[0].reason.endswith("all is good: what was done is kept") and not scene.agent.incidents.open
        )


async def test_a_hold_that_comes_while_it_is_being_undone_leaves_the_rest_for_later(tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    host, unit = bad_release()
    do = host.do

    async def refused_by_the_executor(operation: Operation, undo: Operation | None = None) -> None:
        if isinstance(operation, SwitchRelease) and operation.target == BAD and not hold.exists() and not lifted:
            hold.touch()
        if hold.exists():
            raise RefusedOperationError(f"the hold file {hold} is there")
        await do(operation, undo)

    lifted: list[bool] = []
    host.do = refused_by_the_executor  # type: ignore[method-assign]
    async with running(host, FULL_WEB, hold_file=hold, **ONE_RUNG) as scene:
        await rolled_back_in_vain(scene, unit)
        await asyncio.sleep(120.0)
        assert scene.outcomes == [("rollback_deployment", None)] and scene.agent.gate.disabled == {}
        lifted.append(True)
        hold.unlink()
        await asyncio.sleep(10.0)
        assert scene.remedies[0].outcome == Outcome.INTERRUPTED and target(host) == BAD


async def test_what_could_cut_the_host_off_is_not_left_to_a_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold, undo = tmp_path / "hold", SetNeighbour("eth0", "192.0.2.1", "02:00:00:00:00:01", permanent=False)

    async def plan(self: RestartService, situation: Situation, host: Host) -> Plan:
        return Plan(Step(DeleteNeighbour("eth0", "192.0.2.1"), undo=undo))

    monkeypatch.setattr(RestartService, "plan", plan)
    host = FakeHost()
    nginx(host).status = 200
    let_go: list[list[Operation]] = []

    async def taken_back() -> None:
        let_go.append(list(host.armed))
        host.armed.clear()

    host.let_go = taken_back  # type: ignore[method-assign]
    host.script(DeleteNeighbour, "lies")
    async with running(host, WEB, hold_file=hold, ladders={"service_failed": ("restart_service",)}) as scene:
        host.units.by_name["nginx.service"].crash()
        await until(lambda: host.done != [])
        hold.touch()
        await until(lambda: let_go != [])
        assert let_go == [[undo]] and scene.outcomes == [("restart_service", None)]


async def test_a_bug_in_what_is_read_afterwards_changes_no_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    async def buggy(*_: object) -> dict[str, object]:
        raise KeyError("a bug of a plug-in")

    async def no_dictionary(*_: object) -> object:
        return 7

    for evidence_after in (buggy, no_dictionary):
        monkeypatch.setattr(RollbackDeployment, "evidence_after", evidence_after)
        host, unit = bad_release()
        async with running(host, FULL_WEB, **ONE_RUNG) as scene:
            await rolled_back_in_vain(scene, unit)
            await asyncio.sleep(40.0)
            assert scene.outcomes[0] == ("rollback_deployment", Outcome.INEFFECTIVE) and target(host) == BAD


async def test_a_bug_after_the_steps_leads_to_an_undo_while_the_fault_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async def buggy(*_: object) -> Verdict:
        monkeypatch.undo()
        raise LookupError("a bug")

    monkeypatch.setattr(Playbook, "verify", buggy)
    host, unit = bad_release()
    async with running(host, FULL_WEB, **ONE_RUNG) as scene:
        unit.status = 500
        await until(lambda: bool(scene.outcomes and scene.outcomes[0][1]))
        (execution,) = scene.remedies
        assert execution.outcome == Outcome.INTERRUPTED and target(host) == BAD
        assert execution.reason == "it went wrong: LookupError: a bug; the fault is still there"
        await asyncio.sleep(30.0)
        assert not scene.agent.incidents.open or not scene.case().acting


def applied(do: Operation, undo: Operation) -> StepRecord:
    step = Step(do, undo).as_record()
    step.state = StepState.APPLIED
    return step


def stopped(unit: str) -> str:
    return f"{unit} was stopped by hand" if unit == "nginx.service" else ""


async def test_a_secret_is_put_back_although_who_uses_it_is_not_to_be_started() -> None:
    host = FakeHost()
    nginx(host)
    steps = [applied(ReloadUnit("nginx.service"), PutBackSecret("/etc/key", "nginx.service"))]
    (left_out,) = await undo_steps(steps, host, NoJournal(), 10.0, Restraint(stopped=stopped))
    assert host.done == [PutBackSecret("/etc/key")] and steps[0].state == StepState.UNDONE and BY_HAND in left_out


async def test_a_unit_that_is_stopped_while_it_is_being_started_again_is_no_failure_to_undo() -> None:
    host = FakeHost()
    nginx(host)
    held: list[str] = []
    do = host.do

    async def cancelled_by_a_stop(operation: Operation, undo: Operation | None = None) -> None:
        held.append("nginx.service")
        await do(operation, undo)

    host.do = cancelled_by_a_stop  # type: ignore[method-assign]
    host.script(StartUnit, "fails")
    steps = [applied(StopUnit("nginx.service"), StartUnit("nginx.service"))]
    restraint = Restraint(stopped=lambda unit: "stopped by hand" if unit in held else "")
    assert await undo_steps(steps, host, NoJournal(), 10.0, restraint)
    assert steps[0].state == StepState.APPLIED and "stopped by hand" in steps[0].error


async def test_while_nobody_can_be_reached_to_undo_it_it_is_asked_again_whether_it_may_be() -> None:
    host = FakeHost()
    nginx(host)
    host.script(StartUnit, "unreachable", times=math.inf)
    loop = asyncio.get_running_loop()
    hold_s = loop.time() + 10.0
    steps = [applied(StopUnit("nginx.service"), StartUnit("nginx.service"))]
    restraint = Restraint(halted=lambda: "hands off" if loop.time() >= hold_s else "")
    with pytest.raises(PostponedError):
        await undo_steps(steps, host, NoJournal(), 10.0, restraint)
    assert steps[0].state == StepState.APPLIED and len(host.done) == 10


async def test_an_undo_that_fails_is_stuck_and_one_that_is_forbidden_is_only_put_off() -> None:
    for restraint, error in [(FREE, StuckError), (Restraint(halted=lambda: "hands off"), PostponedError)]:
        host = FakeHost()
        nginx(host)
        host.script(StartUnit, "fails")
        steps = [applied(StopUnit("nginx.service"), StartUnit("nginx.service"))]
        with pytest.raises(error):
            await undo_steps(steps, host, NoJournal(), 10.0, restraint)
        assert (steps[0].state == StepState.UNDO_FAILED) is (error is StuckError)


async def test_an_undo_of_another_version_is_tried_and_said_to_be_unknown() -> None:
    step = applied(StopUnit("nginx.service"), StartUnit("nginx.service"))
    step.undo = {**to_json(StartUnit("nginx.service")), "type": "StartNothing"}
    with pytest.raises(StuckError, match="StartNothing"):
        await undo_steps([step], FakeHost(), NoJournal(), 10.0, Restraint(stopped=stopped))
