"""A plan that is broken, or that cannot be written down, costs its incident no more than its own rung."""

import asyncio
import logging
from pathlib import Path

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB, nginx, running
from tests.agent.playbooks.auto_heal.test_rollback_deployment import deployed
from tests.agent.playbooks.situations import situation

from guardian_agent.errors import CannotPlanError
from guardian_agent.healing.planning import BrokenPlanError, plan_of
from guardian_agent.host import Host
from guardian_agent.host.operations import RestartUnit
from guardian_agent.model import Outcome
from guardian_agent.playbooks.auto_heal.restart_service import RestartService
from guardian_agent.playbooks.auto_heal.rollback_deployment import RollbackDeployment
from guardian_agent.playbooks.base import Plan, Situation, Step
from guardian_agent.playbooks.network.diagnose_network import DiagnoseNetwork

TWO_RUNGS = {"service_failed": ("restart_service", "restart_component")}


async def test_a_plan_that_raises_is_recorded_and_the_next_rung_is_tried(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def buggy(*_: object) -> Plan:
        raise LookupError("a bug")

    monkeypatch.setattr(RestartService, "plan", buggy)
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, ladders=TWO_RUNGS) as scene:
        with caplog.at_level(logging.ERROR):
            unit.crash()
            await asyncio.sleep(5.0)
        assert scene.outcomes == [("restart_service", Outcome.INTERRUPTED), ("restart_component", Outcome.HEALED)]
        assert scene.remedies[0].reason == "planning went wrong: LookupError: a bug" and scene.remedies[0].steps == []
        assert any(record.exc_info for record in caplog.records) and scene.pages == []


async def test_a_broken_plan_is_recorded_once_for_an_incident(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_plan(*_: object) -> None:
        return None

    monkeypatch.setattr(RestartService, "plan", no_plan)
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, ladders={"service_failed": ("restart_service",)}) as scene:
        unit.crash()
        await asyncio.sleep(600.0)
        assert scene.outcomes == [("restart_service", Outcome.INTERRUPTED)] and scene.pages == ["ladder_exhausted"]


async def test_a_diagnosis_that_raises_is_recorded_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def buggy(*_: object) -> Plan:
        raise LookupError("a bug")

    monkeypatch.setattr(DiagnoseNetwork, "plan", buggy)
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        unit.crash()
        await asyncio.sleep(5.0)
        (diagnosis,) = [e for e in scene.state.executions() if e.playbook == "diagnose_network"]
        assert (diagnosis.outcome, diagnosis.reason) == (
            Outcome.INTERRUPTED,
            "planning went wrong: LookupError: a bug",
        )


async def test_findings_of_any_type_are_written_down_and_hold_no_incident_open(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = RestartService.plan

    async def odd(self: RestartService, situation: Situation, host: Host) -> Plan:
        made = await plan(self, situation, host)
        made.findings = {"file": Path("/x"), "name": "\udcff", "many": {1, 2}, ("a", 1): b"\xff"}  # type: ignore[dict-item]
        return made

    monkeypatch.setattr(RestartService, "plan", odd)
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        unit.crash()
        await asyncio.sleep(30.0)
        assert scene.outcomes == [("restart_service", Outcome.HEALED)] and not scene.agent.incidents.open
        assert scene.remedies[0].evidence == {
            "file": "/x",
            "name": "\\udcff",
            "many": [1, 2],
            "('a', 1)": "\\xff",
        }


async def test_a_step_that_cannot_be_written_down_is_no_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = RestartService.plan

    async def odd(self: RestartService, situation: Situation, host: Host) -> Plan:
        made = await plan(self, situation, host)
        made.steps = (Step(RestartUnit("\udcff.service")),)
        return made

    monkeypatch.setattr(RestartService, "plan", odd)
    host = FakeHost()
    nginx(host)
    with pytest.raises(CannotPlanError, match=r"restart_service: .*udcff.*cannot be written down"):
        await plan_of(RestartService(), situation(WEB, "service_failed"), host, 20.0)


async def test_what_is_no_remedy_is_told_from_what_is_broken() -> None:
    asked = situation(WEB, "deploy_regressed")
    with pytest.raises(CannotPlanError) as told:
        await plan_of(RollbackDeployment(), asked, deployed(), 20.0)
    assert not isinstance(told.value, BrokenPlanError)
