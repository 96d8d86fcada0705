import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.fake_machine import CALM
from tests.agent.fake_resources import load
from tests.agent.probes.asking import look, sees

from guardian_agent.probes.host_cpu import HostCpu


async def test_waiting_most_of_the_time_is_pressure_and_waiting_often_is_not() -> None:
    host = FakeHost()
    failing = "cpu_pressure"
    for now, minute, issue_type in [(0.0, 0.0, ""), (79.9, 79.9, ""), (80.0, 60.0, failing), (100.0, 100.0, failing)]:
        host.kernel.pressures["cpu"] = msgspec.structs.replace(CALM, some_avg10=now, some_avg60=minute)
        assert await sees(HostCpu, host) == issue_type
    assert (await look(HostCpu, host)).evidence["processors"] == 2


async def test_a_compilers_half_minute_is_no_fault_nor_is_one_that_is_over() -> None:
    host = FakeHost()
    for now, minute in [(100.0, 59.9), (10.0, 90.0)]:
        host.kernel.pressures["cpu"] = msgspec.structs.replace(CALM, some_avg10=now, some_avg60=minute)
        assert await sees(HostCpu, host) == ""


async def test_a_moment_of_it_decides_nothing() -> None:
    schedule = HostCpu.schedule
    assert schedule.confirm_interval_s is not None
    assert (schedule.fall - 1) * schedule.confirm_interval_s >= 4


async def test_it_is_no_fault_that_those_wait_who_were_told_to_unless_others_wait_for_long_too() -> None:
    host = FakeHost()
    host.kernel.pressures["cpu"] = msgspec.structs.replace(CALM, some_avg10=97.0, some_avg60=97.0)
    for low_waits, other_waits, issue_type in [
        (97.0, 5.0, ""),
        (97.0, 40.0, "cpu_pressure"),
        (60.0, 5.0, "cpu_pressure"),
    ]:
        batch = load("batch.service", cpu_low=True, cpu_waited_percent=low_waits)
        host.kernel.loads = [batch, load("web.service", cpu_waited_percent=other_waits)]
        assert await sees(HostCpu, host) == issue_type
    host.kernel.loads = [load("batch.service", cpu_waited_percent=97.0)]
    reading = await look(HostCpu, host)
    assert not reading.ok and reading.evidence["waits_longest"] == "batch.service"
