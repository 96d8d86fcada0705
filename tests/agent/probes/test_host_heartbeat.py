import asyncio

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.probes.asking import FULL_UNIT, install, look, made, sees

from guardian_agent.errors import ProbeError
from guardian_agent.probes.base import RESOURCES
from guardian_agent.probes.host_heartbeat import HostHeartbeat

FILE = "/run/web/beat"


async def beating() -> FakeHost:
    """A host on which FULL_UNIT has just beaten, and looked at once."""
    host = FakeHost()
    install(host)
    assert await sees(HostHeartbeat, host, FULL_UNIT) == ""
    return host


async def test_a_beat_is_good_until_it_is_too_old() -> None:
    host = await beating()
    await asyncio.sleep(4.9)
    assert await sees(HostHeartbeat, host, FULL_UNIT) == ""
    await asyncio.sleep(0.2)
    assert await sees(HostHeartbeat, host, FULL_UNIT) == "heartbeat_lost"
    evidence = (await look(HostHeartbeat, host, FULL_UNIT)).evidence
    assert evidence == {"file": FILE, "max_age_s": 5.0, "age_s": pytest.approx(5.1)}


async def test_a_file_that_is_not_there_does_not_beat() -> None:
    host = await beating()
    host.files.remove(FILE)
    assert await sees(HostHeartbeat, host, FULL_UNIT) == "heartbeat_lost"
    assert (await look(HostHeartbeat, host, FULL_UNIT)).evidence["reason"] == "missing"


@pytest.mark.parametrize("set_by_s", [3600, -3600])
async def test_after_the_clock_was_set_an_old_date_says_nothing_until_a_beat_was_due(
    set_by_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = await beating()
    real = host.clock.now

    def set_clock() -> object:
        now = real()
        return type(now)(now.boot_id, now.boottime_ns, now.wall_ns + int(set_by_s * 1e9))

    monkeypatch.setattr(host.clock, "now", set_clock)
    with pytest.raises(ProbeError, match="the clock was set"):
        await look(HostHeartbeat, host, FULL_UNIT)
    await asyncio.sleep(1)
    install(host)
    assert await sees(HostHeartbeat, host, FULL_UNIT) == ""
    await asyncio.sleep(5.5)
    assert await sees(HostHeartbeat, host, FULL_UNIT) == "heartbeat_lost"


async def test_a_date_far_ahead_and_a_link_cannot_be_judged() -> None:
    host = await beating()
    host.files.put(FILE, modified_wall_s=host.clock.now().wall_ns / 1e9 + 60)
    with pytest.raises(ProbeError, match="60 s from now"):
        await look(HostHeartbeat, host, FULL_UNIT)
    host.files.link(FILE, "elsewhere")
    with pytest.raises(ProbeError, match="is a link"):
        await look(HostHeartbeat, host, FULL_UNIT)


def test_a_host_that_is_short_of_something_accounts_for_late_beats() -> None:
    assert made(HostHeartbeat, FULL_UNIT).rests_on("heartbeat_lost") == RESOURCES
