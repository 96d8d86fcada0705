from pathlib import Path

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB, Scene, nginx

from guardian_agent.config import PlaybookSettings
from guardian_agent.daily import Daily
from guardian_agent.errors import UsageError


async def daily_of(**settings: PlaybookSettings) -> Daily:
    host = FakeHost()
    nginx(host)
    scene = Scene(host, WEB, playbooks=settings, hold_file=Path("/nowhere"))
    await scene.start()
    await scene.kill()
    return scene.agent.daily


async def test_the_daily_check_runs_by_itself() -> None:
    assert (await daily_of()).unattended == {"daily_health_check"}


async def test_one_that_is_switched_off_runs_by_hand_only() -> None:
    daily = await daily_of(daily_health_check=PlaybookSettings(enabled=False))
    assert daily.unattended == set()


async def test_what_has_no_time_of_day_is_not_run_so() -> None:
    with pytest.raises(UsageError, match="restart_component does not run on a schedule; there are: daily_health_check"):
        await (await daily_of()).run_now("restart_component")


async def test_its_keys_are_those_of_the_configuration() -> None:
    daily = await daily_of(daily_health_check=PlaybookSettings(own={"at": "05:19", "jitter_s": 0.0}))
    schedule = daily._schedules["daily_health_check"]
    assert (schedule._at, schedule._delay_s) == ("05:19", 0.0)
