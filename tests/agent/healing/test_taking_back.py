"""Taking back what a remedy did, while somebody else wants something of the host, or something is broken."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB, nginx, running, until
from tests.agent.playbooks.auto_heal.test_rollback_deployment import CURRENT, FULL_WEB, deployed

from guardian_agent.config import PlaybookSettings
from guardian_agent.host import Host
from guardian_agent.host.operations import Operation, RestartUnit, RunProgram
from guardian_agent.model import Component, Outcome, StepState, Tier
from guardian_agent.playbooks.auto_heal.restart_service import RestartService
from guardian_agent.playbooks.auto_heal.rollback_deployment import RollbackDeployment
from guardian_agent.playbooks.base import Plan, Situation

ROLLBACK: dict[str, Any] = {
    "ladders": {"http_error": ("rollback_deployment",)},
    "playbooks": {"rollback_deployment": PlaybookSettings(tier=Tier.AUTOMATIC)},
}
DRAINED = msgspec.structs.replace(FULL_WEB, drain=("/usr/bin/drain",))


def broken_release(host: FakeHost, *, restarts: bool = True) -> None:
    """A release that was not seen good is live, and serves errors; `restarts` says whether a restart is really made."""
    host.known.good = msgspec.structs.replace(host.known.good, releases={"web": "releases/1"})
    if not restarts:
        host.script(RestartUnit, "lies")
    host.units.by_name["nginx.service"].status = 500


def restarted(host: FakeHost) -> bool:
    return any(isinstance(operation, RestartUnit) for operation in host.done)


async def test_what_somebody_stops_between_two_steps_is_put_back_and_stays_stopped() -> None:
    host = deployed()
    unit = host.units.by_name["nginx.service"]
    async with running(host, DRAINED, **ROLLBACK) as scene:
        do = host.do

        async def stopped_by_hand(operation: Operation, undo: Operation | None = None) -> None:
            await do(operation, undo)
            if isinstance(operation, RunProgram):
                await unit.by_hand("stop")
                await asyncio.sleep(0.1)

        host.do = stopped_by_hand  # type: ignore[method-assign]
        broken_release(host)
        await asyncio.sleep(120.0)
        assert not unit.up and scene.agent.holds.reason("web") == "nginx.service was stopped by hand"
        assert host.files.states[CURRENT].target == "releases/2"


async def test_what_somebody_stops_while_it_is_verified_is_put_back_and_stays_stopped() -> None:
    host = deployed()
    unit = host.units.by_name["nginx.service"]
    async with running(host, FULL_WEB, **ROLLBACK) as scene:
        broken_release(host, restarts=False)
        await until(lambda: restarted(host), within_s=60.0)
        await asyncio.sleep(3.0)
        await unit.by_hand("stop")
        await asyncio.sleep(120.0)
        assert not unit.up and host.files.states[CURRENT].target == "releases/2"
        (execution,) = scene.remedies
        assert "not taken back: nginx.service was stopped by hand" in {step.error for step in execution.steps}


async def test_under_the_hold_file_nothing_is_taken_back_until_it_is_gone(tmp_path: Path) -> None:
    host, hold = deployed(), tmp_path / "hold"
    async with running(host, FULL_WEB, hold_file=hold, **ROLLBACK) as scene:
        broken_release(host, restarts=False)
        await until(lambda: restarted(host), within_s=60.0)
        await asyncio.sleep(3.0)
        hold.touch()
        done = len(host.done)
        await asyncio.sleep(600.0)
        assert len(host.done) == done and scene.remedies[0].outcome is None
        hold.unlink()
        await until(lambda: scene.remedies[0].outcome is not None, within_s=60.0)
        assert scene.remedies[0].outcome == Outcome.INEFFECTIVE
        assert host.files.states[CURRENT].target == "releases/2"


async def test_a_bug_in_what_is_read_afterwards_changes_no_outcome(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def buggy(self: RollbackDeployment, situation: Situation, host: Host) -> dict[str, Any]:
        raise KeyError("a bug")

    monkeypatch.setattr(RollbackDeployment, "evidence_after", buggy)
    host = deployed()
    async with running(host, FULL_WEB, **ROLLBACK) as scene:
        broken_release(host, restarts=False)
        await asyncio.sleep(60.0)
        assert scene.remedies[0].outcome == Outcome.INEFFECTIVE
        assert host.files.states[CURRENT].target == "releases/2"
    assert "rollback_deployment is broken" in caplog.text


async def test_a_bug_after_the_first_step_ends_with_everything_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def buggy(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(RollbackDeployment, "verify", buggy)
    host = deployed()
    async with running(host, FULL_WEB, **ROLLBACK) as scene:
        broken_release(host, restarts=False)
        await asyncio.sleep(30.0)
        execution = scene.remedies[0]
        assert execution.outcome == Outcome.INTERRUPTED and "a bug" in execution.reason
        assert host.files.states[CURRENT].target == "releases/2"
        assert not scene.agent.incidents.open  # it can end
        assert {step.state for step in execution.steps if step.undo} == {StepState.UNDONE}


async def test_findings_of_any_type_are_written_down_as_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = RestartService.plan

    async def odd(self: RestartService, situation: Situation, host: Host) -> Plan:
        made = await plan(self, situation, host)
        made.findings = {"file": Path("/x"), "name": "\udcff"}
        return made

    monkeypatch.setattr(RestartService, "plan", odd)
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, ladders={"service_failed": ("restart_service",)}) as scene:
        unit.crash()
        await asyncio.sleep(20.0)
        assert scene.remedies[0].evidence == {"file": "/x", "name": "\\udcff"} and not scene.agent.incidents.open


async def test_a_broken_plan_is_no_remedy_and_the_next_rung_is_tried(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def buggy(*_: object) -> Plan:
        raise ValueError("a bug")

    monkeypatch.setattr(RestartService, "plan", buggy)
    host = FakeHost()
    unit = nginx(host)
    ladder = ("restart_service", "restart_component")
    async with running(host, WEB, Component(name="other", unit="other.service"), ladders={"service_failed": ladder}):
        with caplog.at_level(logging.ERROR):
            unit.crash()
            await asyncio.sleep(20.0)
        assert unit.up
    assert "restart_service is broken" in caplog.text and "ValueError: a bug" in caplog.text
