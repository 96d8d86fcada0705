import asyncio
import math

import pytest
from tests.agent.detection.stamps import at
from tests.agent.fake_host import FakeHost
from tests.agent.healing.lives import LivesCase
from tests.agent.healing.scene import WEB, nginx, quick, running
from tests.agent.healing.toy import Story, Toy

from guardian_agent.config import ALWAYS_PROTECTED, PlaybookSettings, ProbeSettings
from guardian_agent.healing.gate import ATTEMPTS_PER_DAY, COOLDOWN_S, Disabled, Gate
from guardian_agent.healing.ladders import Progress, Tried
from guardian_agent.host.names import changeable
from guardian_agent.host.operations import StartUnit, StopUnit
from guardian_agent.model import Component, Execution, Outcome, Tier
from guardian_agent.playbooks.auto_heal.restart_service import RestartService
from guardian_agent.playbooks.network.diagnose_network import DiagnoseNetwork
from guardian_agent.probes import PROBES
from guardian_agent.state import Remember

PLAYBOOK = RestartService()
ONE_RUNG = {"service_failed": ("restart_service",)}


def case_of(component: Component | None) -> LivesCase:
    toy = Toy(
        Story(
            fates=("works",),
            undo_fates=(),
            irreversible_last=False,
            cure=None,
            blind_looks=0,
            kills=(),
            by_cancelling=False,
            tail_is_lost=False,
        )
    )
    case = toy.case()
    case.component = component
    return case


def gate(host: FakeHost | None = None, settings: PlaybookSettings | None = None) -> tuple[Gate, dict[str, Disabled]]:
    kept: dict[str, Disabled] = {}
    playbooks = {"restart_service": settings or PlaybookSettings()}
    return Gate(host or FakeHost(), playbooks, ("nginx.service", *ALWAYS_PROTECTED), kept.__setitem__), kept


async def test_an_automatic_playbook_may_act_for_what_is_not_protected() -> None:
    assert gate()[0].refusal(case_of(Component(name="app", unit="app.service")), PLAYBOOK, Progress()) == ""


@pytest.mark.parametrize("unit", ["nginx.service", "guardian-agent.service", "init.scope"])
async def test_a_protected_unit_and_guardian_itself_are_never_touched(unit: str) -> None:
    case = case_of(Component(name="app", unit=unit))
    assert gate()[0].refusal(case, PLAYBOOK, Progress()) == f"{unit} is protected"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (PlaybookSettings(enabled=False), "playbooks.restart_service.enabled is false"),
        (PlaybookSettings(tier=Tier.OBSERVES), "restart_service is of tier 0: it only observes"),
        (PlaybookSettings(tier=Tier.ONE_APPROVER), "restart_service is of tier 2 and needs an approval"),
        (PlaybookSettings(tier=Tier.TWO_APPROVERS), "restart_service is of tier 3 and needs an approval"),
        (PlaybookSettings(attempts_per_day=2), "3 attempts of restart_service within a day, and attempts_per_day is 2"),
    ],
)
async def test_what_the_operator_forbids_is_refused_with_the_reason(settings: PlaybookSettings, reason: str) -> None:
    progress = Progress(attempts=tuple(Tried("restart_service", at(second)) for second in (1, 2, 3)))
    assert gate(settings=settings)[0].refusal(case_of(Component(name="app")), PLAYBOOK, progress).startswith(reason)


async def test_a_diagnosis_on_a_ladder_is_refused_rather_than_taken_for_a_remedy() -> None:
    assert gate()[0].refusal(case_of(Component(name="app")), DiagnoseNetwork(), Progress())


async def test_attempts_of_a_day_are_bounded_also_where_nothing_is_configured() -> None:
    many = Progress(attempts=tuple(Tried("restart_service", at(second)) for second in range(ATTEMPTS_PER_DAY)))
    few = Progress(attempts=many.attempts[1:])
    case = case_of(Component(name="app"))
    assert gate()[0].refusal(case, PLAYBOOK, many) and not gate()[0].refusal(case, PLAYBOOK, few)


async def test_the_attempts_of_another_playbook_are_not_counted_against_this_one() -> None:
    others = Progress(attempts=tuple(Tried("restart_component", at(second)) for second in range(ATTEMPTS_PER_DAY)))
    assert gate()[0].refusal(case_of(Component(name="app")), PLAYBOOK, others) == ""


async def test_each_rung_of_a_ladder_has_its_own_attempts() -> None:
    host = FakeHost()
    unit = nginx(host)
    settings = {
        "restart_component": PlaybookSettings(attempts_per_day=2),
        "restart_service": PlaybookSettings(attempts_per_day=4, cooldown_s=0.0),
    }
    ladders = {"service_failed": ("restart_service", "restart_component")}
    async with running(host, WEB, ladders=ladders, playbooks=settings) as scene:
        host.script(StartUnit, "fails", times=math.inf)
        unit.crash()
        await asyncio.sleep(1500.0)
        ran = [playbook for playbook, outcome in scene.outcomes if outcome == Outcome.ROLLED_BACK]
        assert (ran.count("restart_service"), ran.count("restart_component")) == (4, 2)


async def test_the_cooldown_is_the_operators_also_when_it_is_none() -> None:
    assert gate()[0].cooldown_s("restart_service") == COOLDOWN_S
    assert gate(settings=PlaybookSettings(cooldown_s=0.0))[0].cooldown_s("restart_service") == 0.0


def stuck_execution(case: LivesCase) -> Execution:
    return Execution(
        execution_id="e1",
        incident_id=case.incident.incident_id,
        playbook="restart_service",
        target=case.incident.target,
        issue_type=case.incident.issue_type,
        started_at=at(1),
        reason="the stop failed",
    )


async def test_a_playbook_that_got_stuck_stays_disabled_on_this_host_after_a_restart() -> None:
    first, kept = gate()
    case = case_of(Component(name="app"))
    told = first.disable(stuck_execution(case))
    assert told.startswith("restart_service: the stop failed; it is disabled on this host until a reload")
    second, _ = gate()
    second.restore(kept)
    assert second.disabled == {"restart_service": f"for {case.incident.target}: the stop failed"}
    case.incident.target = "another"
    said = second.refusal(case, PLAYBOOK, Progress())
    assert said.startswith("restart_service is disabled on this host: for toy: the stop failed; a reload")


async def test_a_playbook_that_got_stuck_for_one_component_is_not_tried_for_the_next() -> None:
    host = FakeHost()
    web, other = nginx(host), host.unit("other.service")
    async with running(host, WEB, Component(name="other", unit="other.service"), ladders=ONE_RUNG) as scene:
        host.script(StartUnit, "lies")
        host.script(StopUnit, "fails")
        web.crash()
        await asyncio.sleep(60.0)
        assert scene.outcomes == [("restart_service", Outcome.STUCK)]
        other.crash()
        await asyncio.sleep(30.0)
        assert scene.remedies[-1].target == "other" and scene.outcomes[-1] == ("restart_service", Outcome.DENIED)
        assert not other.up


async def test_a_reload_lifts_what_is_disabled_and_a_restart_of_the_agent_does_not() -> None:
    host = FakeHost()
    nginx(host)
    async with running(host, WEB) as scene:
        scene.agent.gate.restore({})
        scene.state.submit(Remember("disabled", "restart_service", Disabled(reason="x")))
        await scene.agent.restore()
        assert set(scene.agent.gate.disabled) == {"restart_service"}
        await scene.agent.restore(reloaded=True)
        assert scene.agent.gate.disabled == {} and scene.state.memory["disabled"] == {}


async def test_attempts_of_a_day_run_out_and_a_human_is_called() -> None:
    host = FakeHost()
    unit = nginx(host)
    settings = {"restart_service": PlaybookSettings(attempts_per_day=3, cooldown_s=0.0)}
    seldom = {probe.probe_id(): ProbeSettings(interval_s=60.0, timeout_s=1.0) for probe in PROBES}
    ladders = {"service_failed": ("restart_service",)}
    async with running(host, WEB, playbooks=settings, ladders=ladders, probes=seldom) as scene:
        for _ in range(5):
            unit.crash()
            await asyncio.sleep(700.0)
        healed = [outcome for _, outcome in scene.outcomes if outcome == Outcome.HEALED]
        assert len(healed) == 3 and not unit.up and scene.pages == ["ladder_exhausted"]
        await asyncio.sleep(86_400.0)
        assert unit.up


async def test_it_waits_while_systemd_is_at_work_and_says_when_it_does_not_come_to_rest() -> None:
    host = FakeHost()
    unit = nginx(host)
    unit.start_s = 3.0
    waiting, _ = gate(host)
    case = case_of(quick(WEB, 5.0))
    assert await waiting.systemd_first(case)
    started = asyncio.ensure_future(unit.by_hand("restart"))
    await asyncio.sleep(0.1)
    began_s = asyncio.get_running_loop().time()
    assert await waiting.systemd_first(case)
    assert 2.5 < asyncio.get_running_loop().time() - began_s < 3.5
    await started
    unit.start_s = 60.0
    started = asyncio.ensure_future(unit.by_hand("restart"))
    await asyncio.sleep(0.1)
    assert not await waiting.systemd_first(case) and await waiting.systemd_at_work(case)
    await started


async def test_where_systemd_cannot_be_asked_nobody_waits() -> None:
    host = FakeHost()
    host.units.unreachable = "no bus"
    assert await gate(host)[0].systemd_first(case_of(WEB))
    assert await gate(host)[0].systemd_first(case_of(None))


async def test_a_diagnosis_that_is_switched_off_does_not_run() -> None:
    host = FakeHost()
    unit = nginx(host)
    async with running(host, WEB, playbooks={"diagnose_network": PlaybookSettings(enabled=False)}) as scene:
        unit.crash()
        await asyncio.sleep(30.0)
        assert [execution.playbook for execution in scene.state.executions()] == ["restart_service"]


@pytest.mark.parametrize(
    ("unit", "protected"), [("www.service", True), ("nginx.service", True), ("app.service", False)]
)
async def test_a_unit_is_protected_under_whichever_name(unit: str, protected: bool) -> None:
    host = FakeHost()
    host.units.aliases = {"www.service": "nginx.service"}
    asked, _ = gate(host)
    host.units.unreachable = "no bus"
    await asked.learn_names([unit])
    host.units.unreachable = ""
    case = case_of(Component(name="app", unit=unit))
    await asked.learn_names()  # before each attempt; by now there is a bus
    assert bool(asked.refusal(case, PLAYBOOK, Progress())) is protected


async def test_an_alias_that_is_protected_protects_its_unit() -> None:
    host = FakeHost()
    host.units.aliases = {"nginx.service": "angie.service"}
    asked, _ = gate(host)
    await asked.learn_names(["angie.service"])
    case = case_of(Component(name="app", unit="angie.service"))
    assert asked.refusal(case, PLAYBOOK, Progress()) == "angie.service is protected"


async def test_the_rule_names_what_systemd_calls_the_units_and_none_that_is_protected() -> None:
    units = FakeHost().units
    units.aliases = {"mysql.service": "mariadb.service", "sshd.service": "ssh.service"}
    wanted = ["mysql.service", "ssh.service", "app.service"]
    assert await changeable(units, wanted, ["sshd.service"]) == ["app.service", "mariadb.service"]
