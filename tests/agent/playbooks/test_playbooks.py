"""What every playbook keeps to."""

import contextlib
import math
import re

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import SHOP, WEB, nginx, shop
from tests.agent.playbooks.remedies import REMEDIES
from tests.agent.playbooks.situations import situation

from guardian_agent.custom.commands import playbook_class
from guardian_agent.declared import DeclaredPlaybook
from guardian_agent.errors import CannotPlanError, ProbeError
from guardian_agent.healing.ladders import DEFAULT_LADDERS
from guardian_agent.host.operations import ResetFailedUnit, StartUnit, StopUnit, from_json
from guardian_agent.model import Component, StepRecord, StepState, Tier
from guardian_agent.playbooks import PLAYBOOKS, Playbook
from guardian_agent.playbooks.base import Step
from guardian_agent.playbooks.steps import StepFailedError, StuckError
from guardian_agent.probes import PROBES

DECLARED = DeclaredPlaybook(id="skip_job", heals=("check_failed",), execute=("skip",), rollback=("unskip",))
EVERY = (*PLAYBOOKS, playbook_class(DECLARED))
every = pytest.mark.parametrize("playbook", EVERY, ids=lambda playbook: playbook.playbook_id())
healing = pytest.mark.parametrize("playbook", [p for p in EVERY if p.tier > Tier.OBSERVES])
STATES = ["up", "crashed", "down", "frozen", "masked", "gone", "starting", "start-limit", "unreadable"]
COMPONENTS = [WEB, SHOP, Component(name="bare"), None]


class NoJournal:
    """Keeps which states the steps went through."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, StepState]] = []

    async def durably(self, step: StepRecord) -> None:
        self.seen.append((step.describe, step.state))

    def soon(self, step: StepRecord) -> None:
        self.seen.append((step.describe, step.state))


def host_in(state: str) -> FakeHost:
    """A host whose nginx and shop are in some state."""
    host = FakeHost()
    unit, command = nginx(host), shop(host)
    match state:
        case "crashed":
            unit.crash()
            command.crash()
        case "down":
            unit.go_down()
            command.up = False
        case "frozen":
            unit.freeze()
            command.freeze()
        case "masked":
            unit.load_state = "masked"
        case "gone":
            host.units.by_name.clear()
            host.processes.by_name.clear()
        case "starting":
            unit.active_state = "activating"
        case "start-limit":
            unit.go_down("failed", "start-limit-hit")
        case "unreadable":
            host.units.unreachable = host.netlink.unreadable = "no bus"
    return host


def picture(host: FakeHost) -> list[object]:
    units = [(unit.state(), unit.frozen, unit.deaf) for unit in host.units.by_name.values()]
    return [units, [(command.up, command.number) for command in host.processes.by_name.values()]]


@every
def test_it_says_what_it_is(playbook: type[Playbook]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", playbook.playbook_id())
    assert playbook.family() in ("network", "auto_heal", "path_repair", "custom")
    assert playbook.summary().endswith(".") and playbook.tier in Tier


@every
def test_what_it_heals_is_something_that_a_probe_reports_or_will(playbook: type[Playbook]) -> None:
    yet_to_come = {"session_dropped"}
    assert set(playbook.heals) <= {issue for probe in PROBES for issue in probe.issue_types} | yet_to_come
    assert bool(playbook.heals) == (playbook.tier > Tier.OBSERVES)


@every
@pytest.mark.parametrize("attempts", [0, 1])
@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name if component else "remote")
@pytest.mark.parametrize("state", STATES)
async def test_it_plans_or_says_why_not_in_every_state_and_changes_nothing(
    playbook: type[Playbook], component: Component | None, state: str, attempts: int
) -> None:
    for issue_type in playbook.heals or ("anything",):
        host = host_in(state)
        before = picture(host)
        try:
            plan = await playbook().plan(situation(component, issue_type, attempts=attempts), host)
        except (CannotPlanError, ProbeError) as error:
            assert str(error)
            continue
        finally:
            assert host.done == [] and picture(host) == before
        assert plan.steps or plan.findings
        for step in plan.steps:
            record = step.as_record()
            assert from_json(record.operation) == step.do and record.describe == step.do.describe()
            assert (record.undo is None) == (step.undo is None) == (record.undo_describe == "")


@every
async def test_for_an_issue_that_it_does_not_heal_it_plans_or_says_why_not(playbook: type[Playbook]) -> None:
    """Any playbook may be tried for any issue: an operator writes the ladders."""
    known = {issue for probe in PROBES for issue in probe.issue_types} | set(DEFAULT_LADDERS)
    for remedy in REMEDIES:
        asked = remedy.playbook if isinstance(remedy.playbook, playbook) else playbook()
        evidence = (await remedy.probe.look(remedy.broken())).evidence if remedy.probe else {}
        for issue_type in sorted(known):
            try:
                await asked.plan(situation(remedy.component, issue_type, evidence=evidence), remedy.broken())
            except (CannotPlanError, ProbeError) as error:
                assert str(error)


@healing
@pytest.mark.parametrize("component", [WEB, SHOP], ids=lambda component: component.name)
@pytest.mark.parametrize("state", ["up", "crashed", "down", "frozen", "start-limit"])
async def test_a_dry_run_describes_exactly_what_is_then_executed(
    playbook: type[Playbook], component: Component, state: str
) -> None:
    host = host_in(state)
    asked = situation(component, playbook.heals[0])
    try:
        steps = await playbook().dry_run(asked, host)
    except CannotPlanError:
        return
    assert host.done == []
    journal = NoJournal()
    await playbook().execute(steps, host, journal, 120.0)
    assert host.changes() == [step.describe for step in steps]
    done = [
        state for step in steps for state in ((step.describe, StepState.APPLYING), (step.describe, StepState.APPLIED))
    ]
    assert journal.seen == done


async def test_undoing_goes_from_the_newest_step_back_and_spares_what_was_not_begun() -> None:
    host = host_in("crashed")
    names = ("first.service", "second.service", "third.service", "never.service")
    steps = [Step(StartUnit(host.unit(name).name), undo=StopUnit(name)).as_record() for name in names]
    irreversible = Step(ResetFailedUnit("first.service")).as_record()
    for step, state in zip(steps, (StepState.APPLIED, StepState.APPLYING, StepState.FAILED), strict=False):
        step.state = state
    irreversible.state = StepState.APPLIED
    await PLAYBOOKS[0]().rollback([*steps, irreversible], host, NoJournal(), 120.0)
    assert host.changes() == [f"systemctl stop {name}" for name in ("third.service", "second.service", "first.service")]
    assert [step.state for step in steps] == [StepState.UNDONE] * 3 + [StepState.PLANNED]
    assert irreversible.state == StepState.APPLIED


async def test_a_playbook_that_wrote_no_plan_says_so() -> None:
    with pytest.raises(CannotPlanError, match="has no plan for service_failed"):
        await Playbook().plan(situation(WEB), FakeHost())


def stop_of_web() -> list[StepRecord]:
    return [Step(StartUnit("web.service"), undo=StopUnit("web.service")).as_record()]


async def test_what_was_refused_was_not_done_and_is_not_taken_back() -> None:
    host = FakeHost()
    host.unit("web.service")
    host.script(StartUnit, "refused")
    steps = stop_of_web()
    with pytest.raises(StepFailedError, match="refused"):
        await PLAYBOOKS[0]().execute(steps, host, NoJournal(), 120.0)
    await PLAYBOOKS[0]().rollback(steps, host, NoJournal(), 120.0)
    assert steps[0].state == StepState.PLANNED and "refused" in steps[0].error
    assert host.changes() == ["systemctl start web.service"]


@pytest.mark.parametrize(("times", "end"), [(30, StepState.UNDONE), (math.inf, StepState.UNDO_FAILED)])
async def test_taking_back_waits_for_a_bus_that_comes_again_but_not_for_ever(times: float, end: StepState) -> None:
    host = FakeHost()
    host.unit("web.service")
    host.script(StopUnit, "unreachable", times=times)
    steps = stop_of_web()
    steps[0].state = StepState.FAILED
    with contextlib.suppress(StuckError):
        await PLAYBOOKS[0]().rollback(steps, host, NoJournal(), 120.0)
    assert steps[0].state == end and len(host.done) < 70
