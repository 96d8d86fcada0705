import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.fake_machine import CALM
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
