"""What runs beside an incident: the diagnosis beside each, the bundle where nothing helps, the daily check beside
none."""

import asyncio

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB, Scene, nginx, running

from guardian_agent.config import PlaybookSettings
from guardian_agent.host.operations import StartUnit, StopUnit
from guardian_agent.model import Component, Endpoint, Execution, Outcome
from guardian_agent.playbooks.auto_heal.run_diagnostics import RunDiagnostics
from guardian_agent.playbooks.base import Plan, Situation

BARE = Component(name="bare", listen=Endpoint("0.0.0.0", 80))


def of(scene: Scene, playbook: str) -> list[Execution]:
    return [execution for execution in scene.state.executions() if execution.playbook == playbook]


async def test_what_a_playbook_heals_gets_no_bundle() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        unit.crash()
        await asyncio.sleep(60.0)
        assert scene.outcomes == [("restart_service", Outcome.HEALED)]
        assert len(of(scene, "diagnose_network")) == 1 and of(scene, "run_diagnostics") == []


async def test_an_incident_without_a_ladder_gets_its_bundle_once() -> None:
    host = FakeHost()
    nginx(host)
    async with running(host, BARE) as scene:
        host.units.by_name["nginx.service"].crash()
        await asyncio.sleep(5.0)
        (bundle,) = of(scene, "run_diagnostics")
        assert (bundle.target, bundle.outcome, bundle.steps) == ("bare", Outcome.COMPLETED, [])
        assert bundle.reason.startswith("A picture of the host") and bundle.evidence["sections"]["looks"]
        await asyncio.sleep(600.0)
        assert len(of(scene, "run_diagnostics")) == 1


async def test_an_exhausted_ladder_ends_with_a_bundle() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        unit.broken = "exit code 1"
        unit.crash()
        await asyncio.sleep(3600.0)
        (bundle,) = of(scene, "run_diagnostics")
        last = max(execution.finished_at.wall_ns for execution in scene.remedies[:2] if execution.finished_at)
        assert bundle.started_at.wall_ns >= last and "ladder_exhausted" in scene.pages


async def test_a_remedy_that_is_stuck_gets_a_bundle_at_once() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        host.script(StartUnit, "half")
        host.script(StopUnit, "fails", times=9)
        unit.crash()
        await asyncio.sleep(1.0)
        assert ("restart_service", Outcome.STUCK) in scene.outcomes
        assert len(of(scene, "run_diagnostics")) == 1


async def test_nobody_who_can_tell_whether_it_helped_is_a_reason_for_a_bundle() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        unit.start_s = 0.1
        unit.crash()
        await asyncio.sleep(0.02)
        host.units.unreachable = "the bus is gone"
        await asyncio.sleep(20.5)
        assert scene.outcomes == [("restart_service", Outcome.INCONCLUSIVE)]
        await asyncio.sleep(1.0)
        assert len(of(scene, "run_diagnostics")) == 1


async def test_fifty_incidents_at_once_make_no_storm_and_those_that_are_over_get_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_work, most = 0, 0

    async def plan(self: RunDiagnostics, situation: Situation, host: FakeHost) -> Plan:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(10.0)
        at_work -= 1
        return Plan(findings={"sentence": "So it is."})

    monkeypatch.setattr(RunDiagnostics, "plan", plan)
    host = FakeHost()
    components = [Component(name=f"c{n}", unit=f"c{n}.service") for n in range(50)]
    units = [host.unit(f"c{n}.service") for n in range(50)]
    async with running(host, *components, ladders={"service_failed": ()}) as scene:
        for unit in units:
            unit.crash()
        await asyncio.sleep(25.0)
        assert most == 1 and len(of(scene, "run_diagnostics")) == 2
        assert len(scene.pages) == 50  # nobody waited for it
        for unit in units:
            unit.come_up()
        await asyncio.sleep(600.0)
        assert len(of(scene, "run_diagnostics")) == 3


async def test_a_bundle_that_hangs_delays_no_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    async def plan(self: RunDiagnostics, situation: Situation, host: FakeHost) -> Plan:
        await asyncio.Event().wait()
        return Plan()

    monkeypatch.setattr(RunDiagnostics, "plan", plan)
    host = FakeHost()
    unit = nginx(host)
    bare = Component(name="other", unit="other.service")
    other = host.unit("other.service")
    async with running(host, WEB, bare, ladders={"tasks_exhausted": ()}) as scene:
        other.broken = "exit code 1"
        other.crash()
        await asyncio.sleep(60.0)
        unit.crash()
        await asyncio.sleep(5.0)
        assert ("restart_service", Outcome.HEALED) in [
            (e.playbook, e.outcome) for e in scene.remedies if e.target == "web"
        ]
        assert of(scene, "run_diagnostics")[0].reason == "nothing found: planning took longer than 20 s"


async def test_what_is_switched_off_does_not_run() -> None:
    host = FakeHost()
    nginx(host)
    async with running(host, BARE, playbooks={"run_diagnostics": PlaybookSettings(enabled=False)}) as scene:
        host.units.by_name["nginx.service"].crash()
        await asyncio.sleep(60.0)
        assert of(scene, "run_diagnostics") == [] and len(of(scene, "diagnose_network")) == 1


async def test_the_daily_check_runs_beside_no_incident_and_claims_no_healing() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB) as scene:
        unit.crash()
        await asyncio.sleep(60.0)
        assert of(scene, "daily_health_check") == []
        execution = await scene.agent.daily.run_now("daily_health_check")
        await asyncio.sleep(1.0)
        (check,) = of(scene, "daily_health_check")
        assert check.execution_id == execution.execution_id
        assert (check.incident_id, check.target, check.issue_type) == ("", "host:self", "")
        assert (check.outcome, check.verified_at, check.steps) == (Outcome.COMPLETED, None, [])
        assert scene.state.memory["schedule"].keys() == {"daily_health_check"}
