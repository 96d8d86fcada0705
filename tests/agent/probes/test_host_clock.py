import asyncio

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.probes.asking import look, sees

from guardian_agent.model import Stamp
from guardian_agent.probes.host_clock import FORGIVEN_S, HostClock


class SetClock:
    """The time of day that somebody has set by `ahead_s` seconds."""

    def __init__(self, host: FakeHost) -> None:
        self.ahead_s, self._real = 0.0, host.clock.now

    def now(self) -> Stamp:
        now = self._real()
        return Stamp(now.boot_id, now.boottime_ns, now.wall_ns + int(self.ahead_s * 1e9))


@pytest.mark.parametrize(
    ("offset_s", "issue_type"), [(0.0, ""), (-0.1, ""), (0.5, "clock_offset"), (-0.5, "clock_offset")]
)
async def test_a_large_correction_that_is_still_to_be_made_is_an_offset(offset_s: float, issue_type: str) -> None:
    host = FakeHost()
    host.kernel.offset_s = offset_s
    assert await sees(HostClock, host) == issue_type


@pytest.mark.parametrize("ahead_s", [3600.0, -3.0])
async def test_a_clock_that_nobody_disciplines_and_somebody_set_is_off_for_a_while(
    ahead_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = FakeHost()
    host.kernel.offset_s = None
    clock = SetClock(host)
    monkeypatch.setattr(host.clock, "now", clock.now)
    assert await sees(HostClock, host) == ""
    clock.ahead_s = ahead_s
    assert await sees(HostClock, host) == "clock_offset"
    assert (await look(HostClock, host)).evidence == {"set_by_s": ahead_s, "disciplined": False, "offset_s": None}
    clock.ahead_s = 0
    assert await sees(HostClock, host) == "", "it was set back"
    clock.ahead_s = ahead_s
    assert await sees(HostClock, host) == "clock_offset"
    await asyncio.sleep(FORGIVEN_S + 1)
    assert await sees(HostClock, host) == "", "it is the new time"


async def test_where_ntp_is_at_work_a_leap_is_its_correction(monkeypatch: pytest.MonkeyPatch) -> None:
    host = FakeHost()
    clock = SetClock(host)
    monkeypatch.setattr(host.clock, "now", clock.now)
    assert await sees(HostClock, host) == ""
    clock.ahead_s = 3600
    assert await sees(HostClock, host) == ""
