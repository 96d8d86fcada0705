"""An execution that the agent did not live to finish, and whose component is not configured any more by that name."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.fake_workloads import FakeUnit
from tests.agent.healing.fake_state import FakeState
from tests.agent.healing.scene import WEB, nginx, running, until
from tests.agent.playbooks.auto_heal.test_rollback_deployment import CURRENT, FULL_WEB, deployed

from guardian_agent.config import PlaybookSettings
from guardian_agent.host.operations import RestartUnit, StartUnit, StopUnit, SwitchRelease
from guardian_agent.model import Component, Execution, Mode, Outcome, StepState, Tier
from guardian_agent.playbooks.base import Step

GOOD, BAD = "releases/1", "releases/2"
SETTINGS: dict[str, Any] = {
    "ladders": {"http_error": ("rollback_deployment",)},
    "playbooks": {"rollback_deployment": PlaybookSettings(tier=Tier.AUTOMATIC)},
}
RENAMED = msgspec.structs.replace(FULL_WEB, name="www")


async def killed_after_the_switch() -> tuple[FakeHost, FakeUnit, FakeState]:
    host = deployed()
    unit = host.units.by_name["nginx.service"]
    drained = msgspec.structs.replace(FULL_WEB, drain=("/usr/bin/drain",))
    async with running(host, drained, **SETTINGS) as scene:
        host.known.good = msgspec.structs.replace(host.known.good, releases={"web": GOOD})
        unit.status = 500
        await until(lambda: any(isinstance(o, SwitchRelease) for o in host.done), step_s=0.001)
        state = scene.state
    host.done.clear()
    assert target(host) == GOOD and not unfinished(state).outcome
    return host, unit, state


def unfinished(state: FakeState) -> Execution:
    return next(e for e in state.executions() if e.playbook == "rollback_deployment")


def target(host: FakeHost) -> str:
    state = host.files.states[CURRENT]
    assert state is not None
    return state.target


async def test_what_was_half_done_for_a_component_that_was_renamed_is_taken_back() -> None:
    host, unit, state = await killed_after_the_switch()
    async with running(host, RENAMED, state=state, settled=False, **SETTINGS) as scene:
        await asyncio.sleep(10.0)
        execution = unfinished(state)
        assert execution.outcome == Outcome.INTERRUPTED and target(host) == BAD and unit.up
        assert execution.reason == "the agent stopped in between, and its incident is no longer there"
        assert [type(operation) for operation in host.done] == [SwitchRelease, RestartUnit] and scene.pages == []


async def test_what_cannot_be_taken_back_for_it_pages_and_disables_the_playbook() -> None:
    host, _, state = await killed_after_the_switch()
    host.script(SwitchRelease, "fails")
    async with running(host, RENAMED, state=state, settled=False, **SETTINGS) as scene:
        await asyncio.sleep(10.0)
        assert unfinished(state).outcome == Outcome.STUCK and scene.pages == ["stuck"]
        assert set(scene.agent.gate.disabled) == {"rollback_deployment"}


async def test_under_the_hold_file_it_waits_and_a_human_is_called(tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    host, _, state = await killed_after_the_switch()
    async with running(host, RENAMED, state=state, settled=False, hold_file=hold, **SETTINGS) as scene:
        await asyncio.sleep(60.0)
        assert host.done == [] and unfinished(state).outcome is None and scene.pages == ["denied"]
        hold.unlink()
        await asyncio.sleep(5.0)
        assert unfinished(state).outcome == Outcome.INTERRUPTED and target(host) == BAD


async def test_in_observe_mode_it_is_left_and_a_human_is_called() -> None:
    host, _, state = await killed_after_the_switch()
    async with running(host, RENAMED, state=state, settled=False, mode=Mode.OBSERVE, **SETTINGS) as scene:
        await asyncio.sleep(10.0)
        assert host.done == [] and unfinished(state).reason.endswith("mode is observe: nothing was taken back")
        assert scene.pages == ["denied"]


async def test_a_unit_that_was_stopped_and_then_removed_is_not_started() -> None:
    host, unit, state = await killed_after_the_switch()
    await unit.by_hand("stop")
    async with running(host, state=state, settled=False, **SETTINGS):
        await asyncio.sleep(10.0)
        execution = unfinished(state)
        assert execution.outcome == Outcome.INTERRUPTED and target(host) == BAD and not unit.up
        assert "nginx.service was found loaded and inactive" in execution.reason


async def test_a_unit_that_was_stopped_and_then_renamed_is_not_started() -> None:
    host, unit, state = await killed_after_the_switch()
    await unit.by_hand("stop")
    async with running(host, RENAMED, state=state, settled=False, **SETTINGS) as scene:
        await asyncio.sleep(10.0)
        assert target(host) == BAD and not unit.up and scene.agent.holds.reason("www")


async def test_a_unit_that_the_remedy_itself_had_stopped_is_started_again() -> None:
    for component in (msgspec.structs.replace(WEB, name="www"), Component(name="other", unit="other.service")):
        host, state = FakeHost(), FakeState()
        unit = nginx(host)
        host.unit("other.service")
        unit.go_down()
        step = Step(StopUnit("nginx.service"), undo=StartUnit("nginx.service")).as_record()
        step.state = StepState.APPLIED
        state.submit(half_done(host, step))
        async with running(host, component, state=state, settled=False) as scene:
            await asyncio.sleep(5.0)
            assert unit.up and scene.agent.holds.reason("www") == ""
            assert state.executions()[0].outcome == Outcome.INTERRUPTED


async def test_one_that_was_planned_only_gets_its_end() -> None:
    host, state = FakeHost(), FakeState()
    nginx(host)
    state.submit(half_done(host, Step(StopUnit("nginx.service"), undo=StartUnit("nginx.service")).as_record()))
    async with running(host, WEB, state=state, settled=False) as scene:
        await asyncio.sleep(5.0)
        assert state.executions()[0].outcome == Outcome.INTERRUPTED and host.done == [] and scene.pages == []


def half_done(host: FakeHost, *steps: object) -> Execution:
    return Execution(
        execution_id="e1",
        incident_id="long-over",
        playbook="rebind_port",
        target="web",
        issue_type="port_conflict",
        started_at=host.clock.now(),
        steps=list(steps),  # type: ignore[arg-type]
    )
