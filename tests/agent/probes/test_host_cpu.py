import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.fake_machine import CALM
from tests.agent.probes.asking import look, sees

from guardian_agent.probes.host_cpu import HostCpu


async def test_waiting_most_of_the_time_is_pressure_and_waiting_often_is_not() -> None:
    host = FakeHost()
    for percent, issue_type in [(0.0, ""), (79.9, ""), (80.0, "cpu_pressure"), (100.0, "cpu_pressure")]:
        host.kernel.pressures["cpu"] = msgspec.structs.replace(CALM, some_avg10=percent)
        assert await sees(HostCpu, host) == issue_type
    assert (await look(HostCpu, host)).evidence["processors"] == 2


async def test_a_moment_of_it_decides_nothing() -> None:
    schedule = HostCpu.schedule
    assert schedule.confirm_interval_s is not None
    assert (schedule.fall - 1) * schedule.confirm_interval_s >= 4
