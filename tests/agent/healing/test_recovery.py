"""An agent that was killed in the middle of a remedy, and what its next life makes of it."""

import asyncio
from pathlib import Path

from tests.agent.fake_host import FakeHost
from tests.agent.fake_workloads import FakeUnit
from tests.agent.healing.fake_state import FakeState
from tests.agent.healing.scene import URL, WEB, nginx, running

from guardian_agent.host import Answer
from guardian_agent.host.operations import StopUnit
from guardian_agent.model import Execution, Mode, Outcome, StepState

ONE_RUNG = {"service_failed": ("restart_service",)}


async def killed_while_starting(host: FakeHost, unit: FakeUnit) -> FakeState:
    """nginx has crashed, and the agent dies while it starts it; the start goes on."""
    unit.start_s = 5.0
    async with running(host, WEB, ladders=ONE_RUNG) as scene:
        unit.crash()
        await asyncio.sleep(1.0)
        assert [execution.outcome for execution in scene.remedies] == [None]
        assert scene.remedies[0].steps[0].state == StepState.APPLYING
    host.done.clear()
    return scene.state


def first(state: FakeState) -> tuple[Outcome | None, str]:
    execution = next(e for e in state.executions() if e.playbook == "restart_service")
    return execution.outcome, execution.reason


async def test_what_turns_out_good_is_kept() -> None:
    host = FakeHost()
    unit = nginx(host)
    state = await killed_while_starting(host, unit)
    async with running(host, WEB, state=state, settled=False, ladders=ONE_RUNG) as scene:
        await asyncio.sleep(30.0)
        assert first(state) == (Outcome.INTERRUPTED, "the agent stopped in between; all is good: what was done is kept")
        assert unit.up and host.done == [] and scene.incidents[0].closed_at and len(scene.remedies) == 1


async def test_what_is_kept_and_not_yet_all_of_it_leads_to_a_remedy_for_the_rest() -> None:
    host = FakeHost()
    unit = nginx(host)
    state = await killed_while_starting(host, unit)
    host.sockets.answers[URL] = Answer(connected=True, status=500)
    async with running(host, WEB, state=state, settled=False) as scene:
        await asyncio.sleep(40.0)
        assert [e.issue_type for e in scene.remedies][:2] == ["service_failed", "http_error"]
        assert Outcome.SUPERSEDED not in {outcome for _, outcome in scene.outcomes}


async def test_what_turns_out_bad_is_taken_back_and_the_ladder_goes_on() -> None:
    host = FakeHost()
    unit = nginx(host)
    state = await killed_while_starting(host, unit)
    unit.broken = "exit code 1"
    await asyncio.sleep(10.0)
    async with running(host, WEB, state=state, settled=False, ladders=ONE_RUNG) as scene:
        await asyncio.sleep(1.0)
        assert first(state)[0] == Outcome.INTERRUPTED and scene.remedies[0].steps[0].state == StepState.UNDONE
        assert isinstance(host.done[0], StopUnit)
        unit.broken = ""
        await asyncio.sleep(60.0)
        assert unit.up and scene.outcomes[-1] == ("restart_service", Outcome.HEALED) and scene.incidents[0].closed_at


async def test_what_cannot_be_told_is_waited_for_and_after_a_while_somebody_is_called() -> None:
    host = FakeHost()
    unit = nginx(host)
    state = await killed_while_starting(host, unit)
    host.units.unreachable = "no bus"
    async with running(host, WEB, state=state, settled=False, ladders=ONE_RUNG) as scene:
        await asyncio.sleep(200.0)
        assert first(state)[0] is None and host.done == [] and scene.pages == []
        await asyncio.sleep(200.0)
        assert scene.pages == ["inconclusive"]
        host.units.unreachable = ""
        await asyncio.sleep(30.0)
        assert first(state)[0] == Outcome.INTERRUPTED and scene.incidents[0].closed_at and unit.up


async def test_what_somebody_stopped_meanwhile_stays_stopped_and_the_incident_is_over() -> None:
    host = FakeHost()
    unit = nginx(host)
    state = await killed_while_starting(host, unit)
    await asyncio.sleep(10.0)
    await unit.by_hand("stop")
    unit.load_state = "masked"  # so that no probe can ever tell
    async with running(host, WEB, state=state, settled=False, ladders=ONE_RUNG) as scene:
        await asyncio.sleep(30.0)
        outcome, reason = first(state)
        assert outcome == Outcome.INTERRUPTED and reason.startswith("the agent stopped in between; nginx.service was ")
        assert [type(operation) for operation in host.done] == [StopUnit] and not unit.up
        assert scene.incidents[0].held and scene.incidents[0].closed_at and scene.pages == []


async def test_in_observe_mode_nothing_is_taken_back() -> None:
    host = FakeHost()
    unit = nginx(host)
    state = await killed_while_starting(host, unit)
    unit.broken = "exit code 1"
    await asyncio.sleep(10.0)
    async with running(host, WEB, state=state, settled=False, mode=Mode.OBSERVE) as scene:
        await asyncio.sleep(30.0)
        assert first(state)[0] == Outcome.INTERRUPTED and "mode is observe" in first(state)[1]
        assert host.done == [] and scene.outcomes[-1][1] == Outcome.DRY_RUN


async def test_while_the_hold_file_is_there_nothing_is_taken_back(tmp_path: Path) -> None:
    host = FakeHost()
    unit = nginx(host)
    state = await killed_while_starting(host, unit)
    unit.broken = "exit code 1"
    await asyncio.sleep(10.0)
    hold = tmp_path / "hold"
    hold.touch()
    async with running(host, WEB, state=state, settled=False, ladders=ONE_RUNG, hold_file=hold) as scene:
        await asyncio.sleep(60.0)
        assert host.done == [] and first(state)[0] is None and scene.pages == ["denied"]
        hold.unlink()
        await asyncio.sleep(5.0)
        assert first(state)[0] == Outcome.INTERRUPTED and isinstance(host.done[0], StopUnit)


async def test_what_cannot_be_taken_back_is_stuck_pages_and_disables_the_playbook() -> None:
    host = FakeHost()
    unit = nginx(host)
    state = await killed_while_starting(host, unit)
    unit.broken = "exit code 1"
    await asyncio.sleep(10.0)
    host.script(StopUnit, "fails")
    async with running(host, WEB, state=state, settled=False, ladders=ONE_RUNG) as scene:
        await asyncio.sleep(5.0)
        assert first(state)[0] == Outcome.STUCK
        assert "stuck" in scene.pages and set(scene.agent.gate.disabled) == {"restart_service"}


async def test_an_undo_that_failed_just_before_the_agent_died_is_tried_again() -> None:
    host = FakeHost()
    unit = nginx(host)
    state = await killed_while_starting(host, unit)
    unit.broken = "exit code 1"
    await asyncio.sleep(10.0)
    (execution,) = await state.unfinished_executions()
    execution.steps[0].state = StepState.UNDO_FAILED
    state.submit(execution)
    async with running(host, WEB, state=state, settled=False, ladders=ONE_RUNG) as scene:
        await asyncio.sleep(5.0)
        assert first(state)[0] == Outcome.INTERRUPTED and scene.remedies[0].steps[0].state == StepState.UNDONE


async def test_an_execution_of_a_playbook_that_is_gone_is_taken_back_like_any_other() -> None:
    host = FakeHost()
    unit = nginx(host)
    state = await killed_while_starting(host, unit)
    unit.broken = "exit code 1"
    await asyncio.sleep(10.0)
    (execution,) = await state.unfinished_executions()
    execution.playbook = "no_such_playbook"
    state.submit(execution)
    async with running(host, WEB, state=state, settled=False, ladders=ONE_RUNG):
        await asyncio.sleep(1.0)
        ended = {e.playbook: e for e in state.executions()}["no_such_playbook"]
        assert ended.outcome == Outcome.INTERRUPTED and ended.steps[0].state == StepState.UNDONE


async def test_every_unfinished_execution_of_an_incident_is_ended() -> None:
    host = FakeHost()
    unit = nginx(host)
    state = await killed_while_starting(host, unit)
    (execution,) = await state.unfinished_executions()
    execution.execution_id = "another"
    state.submit(execution)
    async with running(host, WEB, state=state, settled=False, ladders=ONE_RUNG):
        await asyncio.sleep(30.0)
        assert {e.outcome for e in state.executions() if e.playbook == "restart_service"} == {Outcome.INTERRUPTED}


async def test_one_whose_incident_is_over_and_that_only_started_a_unit_leaves_it_running() -> None:
    host = FakeHost()
    unit = nginx(host)
    state = await killed_while_starting(host, unit)
    execution: Execution
    (execution,) = await state.unfinished_executions()
    execution.incident_id = "long-over"
    state.submit(execution)
    async with running(host, WEB, state=state, settled=False, ladders=ONE_RUNG):
        await asyncio.sleep(0.1)
        outcome, reason = first(state)
        assert outcome == Outcome.INTERRUPTED and reason.endswith("what was started is left running")
