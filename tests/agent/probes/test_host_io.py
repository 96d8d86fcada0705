import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_machine import CALM
from tests.agent.probes.asking import sees

from guardian_agent.probes.host_io import HostIo


@pytest.mark.parametrize(
    ("now", "minute", "issue_type"),
    [(0.0, 0.0, ""), (95.0, 40.0, ""), (30.0, 80.0, ""), (60.0, 60.0, "io_pressure")],
)
async def test_standing_still_for_a_minute_is_pressure_and_one_copy_is_not(
    now: float, minute: float, issue_type: str
) -> None:
    host = FakeHost()
    host.kernel.pressures["io"] = msgspec.structs.replace(CALM, some_avg10=99.0, full_avg10=now, full_avg60=minute)
    assert await sees(HostIo, host) == issue_type
