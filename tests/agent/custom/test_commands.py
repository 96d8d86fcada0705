import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.playbooks.situations import situation

from guardian_agent.custom.commands import playbook_class, probe_class
from guardian_agent.declared import DeclaredPlaybook, DeclaredProbe
from guardian_agent.errors import CannotPlanError, ProbeError
from guardian_agent.host import ProgramEnd
from guardian_agent.host.operations import RunProgram
from guardian_agent.model import Component, Endpoint, Layer, Schedule, Tier

WORKER = Component(name="worker", unit="worker.service", listen=Endpoint("0.0.0.0", 7000))
DEPTH = DeclaredProbe(id="l7_queue_depth", command=("depth",), issue_type="queue_stuck", component="worker")
BATTERY = DeclaredProbe(id="host_battery", command=("battery",), issue_type="battery_low")
SKIP = DeclaredPlaybook(
    id="skip_job", heals=("queue_stuck",), execute=("skip",), rollback=("unskip",), check=("may",), timeout_s=7.0
)


def test_a_command_is_a_probe_like_any_other():
    depth, battery = probe_class(DEPTH), probe_class(BATTERY)
    assert (depth.probe_id(), depth.layer, depth.issue_types) == ("l7_queue_depth", Layer.APPLICATION, ("queue_stuck",))
    assert (battery.probe_id(), battery.layer, battery.host_target()) == ("host_battery", Layer.HOST, "host:battery")
    assert depth.for_component(Component(name="other"), Schedule()) is None and depth.for_host(Schedule()) is None
    assert battery.for_component(WORKER, Schedule()) is None and battery.for_host(Schedule()) is not None
    one = depth.for_component(WORKER, Schedule())
    assert one == depth.for_component(WORKER, Schedule()) and hash(one)


@pytest.mark.parametrize(("code", "ok"), [(0, True), (1, False), (2, False)])
async def test_its_exit_code_is_the_reading_and_its_last_line_the_evidence(code, ok):
    host = FakeHost()
    host.processes.checks["depth"] = ProgramEnd(exit_code=code, output="first\n120 jobs wait")
    probe = probe_class(DEPTH).for_component(WORKER, Schedule())
    reading = await probe.look(host)
    assert (reading.ok, reading.evidence["said"]) == (ok, "120 jobs wait")
    assert host.processes.told == {
        "GUARDIAN_PROBE": "l7_queue_depth",
        "GUARDIAN_COMPONENT": "worker",
        "GUARDIAN_UNIT": "worker.service",
        "GUARDIAN_LISTEN": "tcp:0.0.0.0:7000",
    }


@pytest.mark.parametrize("code", [3, 127, -9])
async def test_with_any_other_code_it_could_not_tell(code):
    host = FakeHost()
    host.processes.checks["depth"] = ProgramEnd(exit_code=code, output="no spool")
    with pytest.raises(ProbeError, match=f"could not tell: exit code {code} no spool"):
        await probe_class(DEPTH).for_component(WORKER, Schedule()).look(host)


async def test_one_that_does_not_end_is_failing():
    host = FakeHost()
    host.processes.checks["depth"] = ProgramEnd(exit_code=None)
    reading = await probe_class(DEPTH).for_component(WORKER, Schedule(timeout_s=2.0)).look(host)
    assert not reading.ok and reading.evidence["reason"] == "no end within 2 s"


async def test_a_command_is_a_playbook_like_any_other():
    playbook, host = playbook_class(SKIP), FakeHost()
    assert (playbook.playbook_id(), playbook.family(), playbook.heals) == ("skip_job", "custom", ("queue_stuck",))
    assert playbook.tier == Tier.AUTOMATIC and playbook.summary().endswith(".")
    plan = await playbook().plan(situation(WORKER, "queue_stuck", attempts=1), host)
    (step,) = plan.steps
    assert isinstance(step.do, RunProgram) and isinstance(step.undo, RunProgram)
    assert (step.do.argv, step.undo.argv, step.do.timeout_s) == (("skip",), ("unskip",), 7.0)
    assert step.do.environment == {
        "GUARDIAN_PLAYBOOK": "skip_job",
        "GUARDIAN_INCIDENT": "i1",
        "GUARDIAN_TARGET": "worker",
        "GUARDIAN_ISSUE_TYPE": "queue_stuck",
        "GUARDIAN_ATTEMPT": "2",
        "GUARDIAN_COMPONENT": "worker",
        "GUARDIAN_UNIT": "worker.service",
        "GUARDIAN_LISTEN": "tcp:0.0.0.0:7000",
    }
    assert host.done == []


async def test_without_a_rollback_it_says_that_it_cannot_be_undone():
    declared = DeclaredPlaybook(id="skip_job", heals=("queue_stuck",), execute=("skip",))
    (step,) = (await playbook_class(declared)().plan(situation(WORKER, "queue_stuck"), FakeHost())).steps
    assert step.as_record().undo is None


@pytest.mark.parametrize(("output", "why"), [("no job waits", "no job waits"), ("", "exit code 1")])
async def test_where_its_check_says_no_it_is_no_remedy(output, why):
    host = FakeHost()
    host.processes.checks["may"] = ProgramEnd(exit_code=1, output=output)
    with pytest.raises(CannotPlanError, match=f"may: {why}"):
        await playbook_class(SKIP)().plan(situation(WORKER, "queue_stuck"), host)
