import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.agent.virtual_time import in_virtual_time

from guardian_agent.executor import arming
from guardian_agent.executor.arming import Arming
from guardian_agent.host.operations import RootOperation, WriteSysctl

FIRST, SECOND = WriteSysctl("net.core.somaxconn", "1"), WriteSysctl("net.core.somaxconn", "2")


def taken_back(story: Callable[[Arming], Awaitable[None]]) -> list[RootOperation]:
    """What was taken back by the end of a story."""
    done: list[RootOperation] = []

    async def take_back(undo: RootOperation) -> None:
        await asyncio.sleep(0.1)
        done.append(undo)

    async def run() -> None:
        armed = Arming(take_back, armed_s=10.0)
        await story(armed)
        await armed.settle()

    in_virtual_time(run())
    return done


def test_when_nothing_is_heard_all_is_taken_back_the_newest_first() -> None:
    async def story(armed: Arming) -> None:
        armed.arm("a", FIRST)
        armed.arm("a", SECOND)
        await asyncio.sleep(9.9)
        assert armed.is_waiting
        await asyncio.sleep(0.15)
        assert armed.is_waiting

    assert taken_back(story) == [SECOND, FIRST]


def test_whoever_is_heard_of_again_and_again_has_as_long_as_it_takes() -> None:
    async def story(armed: Arming) -> None:
        armed.arm("a", FIRST)
        for _ in range(20):
            await asyncio.sleep(9.0)
            armed.renew("a")
        armed.disarm("a")
        assert not armed.is_waiting
        await asyncio.sleep(60.0)

    assert taken_back(story) == []


def test_each_change_gives_all_of_them_time_again() -> None:
    async def story(armed: Arming) -> None:
        armed.arm("a", FIRST)
        await asyncio.sleep(9.0)
        armed.arm("a", SECOND)
        await asyncio.sleep(9.0)
        armed.disarm("a")

    assert taken_back(story) == []


def test_one_token_has_nothing_to_say_about_another() -> None:
    async def story(armed: Arming) -> None:
        armed.arm("a", FIRST)
        armed.arm("b", SECOND)
        armed.renew("c")
        armed.disarm("c")
        armed.disarm("b")
        await asyncio.sleep(11.0)

    assert taken_back(story) == [FIRST]


def test_a_change_that_was_not_made_is_not_taken_back() -> None:
    async def story(armed: Arming) -> None:
        armed.arm("a", FIRST)
        armed.arm("a", SECOND)
        armed.drop_newest("a")
        armed.arm("b", SECOND)
        armed.drop_newest("b")
        armed.drop_newest("nobody")
        await asyncio.sleep(11.0)

    assert taken_back(story) == [FIRST]


def test_nobody_can_arm_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arming, "MOST_ARMED", 2)

    async def story(armed: Arming) -> None:
        armed.arm("a", FIRST)
        armed.arm("b", FIRST)
        with pytest.raises(ValueError, match="2 changes are armed already"):
            armed.arm("c", FIRST)
        armed.disarm("a")
        armed.disarm("b")

    assert taken_back(story) == []
