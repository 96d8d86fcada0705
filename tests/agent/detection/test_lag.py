import asyncio
from typing import cast

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB, nginx, running
from tests.agent.virtual_time import VirtualTimeLoop

from guardian_agent.detection.lag import Lag
from guardian_agent.host import Answer
from guardian_agent.model import Mode


def block(seconds: float) -> None:
    """The loop stands still for so long."""
    cast(VirtualTimeLoop, asyncio.get_running_loop())._jumping.now += seconds


async def test_what_only_waits_has_no_lag() -> None:
    with Lag(0.1) as lag:
        await asyncio.sleep(10.0)
    assert lag.worst_s == pytest.approx(0.0, abs=1e-6)


async def test_the_longest_block_is_the_lag() -> None:
    with Lag(0.1) as lag:
        block(0.5)
        await asyncio.sleep(1.0)
        block(0.2)
    assert lag.worst_s == pytest.approx(0.4)


@pytest.mark.parametrize(("blocked_s", "opens"), [(0.0, True), (0.1, True), (1.5, False)])
async def test_a_bad_look_during_which_the_agent_itself_was_late_says_nothing(
    blocked_s: float, opens: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = FakeHost()
    nginx(host)

    async def late(url: str, timeout_s: float) -> Answer:
        block(blocked_s)
        return Answer(connected=True)

    async with running(host, WEB, mode=Mode.OBSERVE) as scene:
        monkeypatch.setattr(host.sockets, "http_get", late)
        await asyncio.sleep(30.0)
        assert bool(scene.incidents) is opens
        look = scene.agent.incidents.scheduler.watches["l7_http/web"].last_look
        assert look is not None and ("itself was late" in look.unknown) is not opens
