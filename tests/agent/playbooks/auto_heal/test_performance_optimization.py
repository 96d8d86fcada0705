from typing import Any

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_machine import CALM
from tests.agent.fake_resources import load
from tests.agent.healing.scene import SHOP, WEB, nginx
from tests.agent.playbooks.pages import example_steps
from tests.agent.playbooks.remedies import REMEDIES
from tests.agent.playbooks.situations import situation
from tests.agent.playbooks.test_playbooks import NoJournal
from tests.agent.virtual_time import in_virtual_time

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import UnitLimits
from guardian_agent.host.operations.limits import NO_LIMIT
from guardian_agent.host.operations.settings import LOCAL_PORTS
from guardian_agent.playbooks.auto_heal.performance_optimization import PerformanceOptimization
from guardian_agent.playbooks.base import Plan, Situation

PLAYBOOK = PerformanceOptimization(spare=("backup.service",))
BUSY = msgspec.structs.replace(CALM, some_avg10=97.0)


def host_with(noisy: str = "batch.service", **last: Any) -> FakeHost:
    """One unit takes a processor and a half, and the components take little."""
    host = FakeHost()
    nginx(host)
    host.unit(noisy)
    host.kernel.pressures["cpu"] = BUSY
    host.kernel.loads = [load("nginx.service", 0.1, cpu_waited_percent=3), load(noisy, 1.5, **last)]
    return host


def asked(issue_type: str = "cpu_pressure", **what: Any) -> Situation:
    return situation(None, issue_type, components=(WEB,), **what)


async def plan(host: FakeHost, of: Situation | None = None) -> Plan:
    return await PLAYBOOK.plan(of or asked(), host)


async def steps(host: FakeHost, of: Situation | None = None) -> list[str]:
    return [step.do.describe() for step in (await plan(host, of)).steps]


async def there_and_back(host: FakeHost, of: Situation) -> tuple[UnitLimits, UnitLimits, UnitLimits]:
    """What the only unit concerned may take before, when it was done, and when that was undone."""
    records = await PLAYBOOK.dry_run(of, host)
    unit = records[0].operation["unit"]
    before = host.units.shares.of(unit)
    await PLAYBOOK.execute(records, host, NoJournal(), 10.0)
    then = host.units.shares.of(unit)
    await PLAYBOOK.rollback(records, host, NoJournal(), 10.0)
    return before, then, host.units.shares.of(unit)


async def test_who_takes_most_of_the_processors_waits_its_turn_and_the_numbers_say_why():
    host = host_with()
    planned = await plan(host)
    assert [step.do.describe() for step in planned.steps] == [
        "systemctl set-property --runtime batch.service CPUWeight=10"
    ]
    assert planned.findings["used"] == {"batch.service": 1.5, "nginx.service": 0.1}
    assert planned.findings["noisy"] == "batch.service" and planned.findings["pressure"]["cpu"] == 97.0
    assert planned.findings["prior"] == {"CPUWeight": "not set"}
    after = await PLAYBOOK.evidence_after(asked(), host)
    assert after["components_waited_percent_after"] == {"nginx.service": 3} and after["pressure_after"]["cpu"] == 97.0


@pytest.mark.parametrize("was_set", [True, False])
async def test_undoing_restores_the_weight_and_whether_anybody_had_set_it(was_set):
    host = host_with()
    if was_set:
        host.units.shares.set("batch.service", "CPUWeight", CPUWeight=10_000)
    before, then, after = await there_and_back(host, asked())
    assert then.values["CPUWeight"] == 10 and "CPUWeight" in then.set_until_boot
    assert after == before and ("CPUWeight" in after.set_until_boot) is was_set


async def test_a_weight_that_is_low_already_is_not_lowered():
    host = host_with()
    host.units.shares.set("batch.service", CPUWeight=5)
    with pytest.raises(CannotPlanError, match="has CPUWeight=5 already"):
        await plan(host)


@pytest.mark.parametrize(
    "noisy",
    [
        "session-3.scope",
        "ssh.service",
        "systemd-journald.service",
        "guardian-agent.service",
        "NetworkManager.service",
        "getty@tty1.service",
        "backup.service",
        "vip.service",
    ],
)
async def test_what_is_protected_or_the_hosts_own_is_left_alone(noisy):
    with pytest.raises(CannotPlanError, match="is left alone"):
        await plan(host_with(noisy), asked(protected=frozenset({"vip.service"})))


async def test_a_component_is_not_slowed_and_nobody_is_blamed_for_an_equal_share():
    host = host_with("nginx.service")
    with pytest.raises(CannotPlanError, match="a component"):
        await plan(host)
    host.kernel.loads = [load(f"{at}.service", 1.0) for at in range(4)]
    with pytest.raises(CannotPlanError, match="to blame"):
        await plan(host)
    host.kernel.loads = []
    with pytest.raises(CannotPlanError, match="to blame"):
        await plan(host)


async def test_high_latency_is_the_processors_only_where_something_waits_for_them():
    host = host_with()
    assert await steps(host, asked("high_latency")) == ["systemctl set-property --runtime batch.service CPUWeight=10"]
    host.kernel.pressures["cpu"] = CALM
    with pytest.raises(CannotPlanError, match="another reason"):
        await plan(host, asked("high_latency"))


@pytest.mark.parametrize("issue_type", ["service_hung", "connection_timeout"])
async def test_a_component_that_is_late_since_it_waits_for_a_processor_gets_one(issue_type):
    host = host_with()
    late = situation(WEB, issue_type, components=(WEB, SHOP))
    with pytest.raises(CannotPlanError, match="another reason"):  # others wait, nginx does not
        await plan(host, late)
    host.kernel.loads = [load("nginx.service", 0.1, cpu_waited_percent=20), load("batch.service", 1.5)]
    assert await steps(host, late) == ["systemctl set-property --runtime batch.service CPUWeight=10"]
    host.kernel.pressures["cpu"] = CALM
    with pytest.raises(CannotPlanError, match="another reason"):
        await plan(host, late)


async def test_who_takes_most_memory_is_slowed_above_a_part_of_it():
    host = host_with()
    host.kernel.loads = [load("nginx.service", memory_bytes=1 << 20), load("batch.service", memory_bytes=1 << 30)]
    before, then, after = await there_and_back(host, asked("memory_pressure"))
    assert then.values["MemoryHigh"] == int(0.8 * (1 << 30)) >> 12 << 12 and after == before
    host.units.shares.by_unit["batch.service"] = UnitLimits(values={})
    with pytest.raises(CannotPlanError, match="no MemoryHigh="):
        await plan(host, asked("memory_pressure"))


async def test_who_reads_and_writes_most_waits_for_the_others():
    assert await steps(host_with(io_bytes=1 << 30), asked("io_pressure")) == [
        "systemctl set-property --runtime batch.service IOWeight=10"
    ]


@pytest.mark.parametrize(("limit", "raised"), [(2, 64), (100, 400), (2000, 4915)])
async def test_a_component_at_its_limit_of_tasks_gets_more_as_far_as_is_usual(limit, raised):
    host = FakeHost()
    nginx(host)
    host.units.shares.set("nginx.service", TasksMax=limit)
    of = situation(WEB, "tasks_exhausted")
    before, then, after = await there_and_back(host, of)
    assert then.values["TasksMax"] == raised and after == before
    with pytest.raises(CannotPlanError, match="of no use"):
        await plan(host, situation(WEB, "tasks_exhausted", attempts=1))


@pytest.mark.parametrize("limit", [4915, 9000, NO_LIMIT])
async def test_a_component_with_the_usual_limit_has_too_many_tasks_and_gets_no_more(limit):
    host = FakeHost()
    nginx(host)
    host.units.shares.set("nginx.service", TasksMax=limit)
    with pytest.raises(CannotPlanError, match="too many"):
        await plan(host, situation(WEB, "tasks_exhausted"))
    with pytest.raises(CannotPlanError, match="not a systemd unit"):
        await plan(host, situation(SHOP, "tasks_exhausted"))


@pytest.mark.parametrize(
    ("range_", "wider"),
    [("40000\t40019", "32768 60999"), ("1024\t40000", "1024 60999"), ("50000\t65000", "32768 65000")],
)
async def test_few_local_ports_become_as_many_as_is_usual_and_go_back_to_the_letter(range_, wider):
    host = FakeHost()
    host.kernel.settings[LOCAL_PORTS] = range_
    records = await PLAYBOOK.dry_run(asked("port_exhaustion"), host)
    await PLAYBOOK.execute(records, host, NoJournal(), 10.0)
    assert host.kernel.settings[LOCAL_PORTS] == wider
    await PLAYBOOK.rollback(records, host, NoJournal(), 10.0)
    assert host.kernel.settings[LOCAL_PORTS] == range_


@pytest.mark.parametrize("range_", ["32768\t60999", "1024 65535", "", "a b"])
async def test_ports_that_are_many_already_or_unknown_are_left(range_):
    host = FakeHost()
    host.kernel.settings[LOCAL_PORTS] = range_
    with pytest.raises(CannotPlanError, match=r"as wide|is ''|is 'a b'"):
        await plan(host, asked("port_exhaustion"))


def test_the_evidence_of_an_execution_has_the_pressure_before_and_after():
    remedy = next(remedy for remedy in REMEDIES if remedy.issue_type == "cpu_pressure")
    _, lives = in_virtual_time(remedy.play())
    evidence = lives.ends[-1][0].evidence
    assert evidence["pressure"]["cpu"] == evidence["pressure_after"]["cpu"] == 97.0


async def test_the_example_of_its_page_is_what_it_does():
    assert await steps(host_with()) == example_steps("performance_optimization")
