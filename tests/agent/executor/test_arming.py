import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.agent.virtual_time import in_virtual_time

from guardian_agent.executor import arming
from guardian_agent.executor.arming import Arming
from guardian_agent.host.operations import RootOperation, SetLink, SetLinkMtu

FIRST, SECOND = SetLink("eth0", up=True), SetLinkMtu("eth0", 1500)


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


def test_whoever_is_heard_of_again_and_again_has_as_long_as_a_verification_takes() -> None:
    async def story(armed: Arming) -> None:
        armed.arm("a", FIRST, most_s=200.0)
        for _ in range(20):
            await asyncio.sleep(9.0)
            assert armed.renew("a")
        assert armed.disarm("a")
        assert not armed.is_waiting
        await asyncio.sleep(60.0)

    assert taken_back(story) == []


def test_nobody_keeps_anything_armed_for_longer_by_saying_so_on_and_on_or_by_arming_more() -> None:
    async def story(armed: Arming) -> None:
        armed.arm("a", FIRST, most_s=300.0)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while armed.renew("a"):
            await asyncio.sleep(5.0)
            if loop.time() - began_s == 100.0:
                armed.arm("a", SECOND, most_s=300.0)
        assert loop.time() - began_s == 300.0
        assert "has not said in time that it may stay" in armed.gone("a")

    assert taken_back(story) == [SECOND, FIRST]


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
        assert not armed.renew("c")
        assert not armed.disarm("c")
        assert armed.disarm("b")
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


def test_what_was_taken_back_is_neither_renewed_nor_kept_nor_added_to() -> None:
    async def story(armed: Arming) -> None:
        armed.arm("a", FIRST)
        await asyncio.sleep(10.5)
        assert not armed.renew("a")
        assert not armed.disarm("a")
        why = "nothing was heard for 10 s of whoever changed the network: it was taken back"
        assert armed.gone("a") == armed.refusal("a", SECOND, 1) == why

    assert taken_back(story) == [FIRST]


def test_what_was_kept_is_kept_however_often_it_is_said_and_added_to_no_more() -> None:
    async def story(armed: Arming) -> None:
        armed.arm("a", FIRST)
        assert armed.disarm("a")
        assert armed.disarm("a")
        assert armed.refusal("a", SECOND, 1) == "what the same token armed before is not armed any more"

    assert taken_back(story) == []


def test_a_change_after_one_that_this_executor_does_not_know_of_is_not_armed() -> None:
    async def story(armed: Arming) -> None:
        assert "is not armed any more" in armed.refusal("a", SECOND, 1)
        assert armed.refusal("a", FIRST, 0) == ""
        armed.arm("a", FIRST)
        assert "is not armed any more" in armed.refusal("a", SECOND, 0)
        assert armed.refusal("a", SECOND, 1) == ""
        armed.disarm_all()
        assert not armed.is_waiting

    assert taken_back(story) == []


def test_nobody_can_arm_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arming, "MOST_ARMED", 2)

    async def story(armed: Arming) -> None:
        armed.arm("a", FIRST)
        armed.arm("b", FIRST)
        assert armed.refusal("c", FIRST, 0) == "2 changes are armed already"
        armed.disarm("a")
        assert armed.refusal("c", FIRST, 0) == ""
        monkeypatch.setattr(arming, "MOST_BYTES", 80)
        assert armed.refusal("c", FIRST, 0) == "what is armed takes more than 80 bytes"
        armed.disarm("b")

    assert taken_back(story) == []


@pytest.mark.parametrize("token", ["", "x" * 65])
def test_a_token_is_no_empty_and_no_long_one(token: str) -> None:
    async def story(armed: Arming) -> None:
        assert "needs a token" in armed.refusal(token, FIRST, 0)

    assert taken_back(story) == []


def test_how_tokens_ended_is_not_remembered_without_end() -> None:
    async def story(armed: Arming) -> None:
        for number in range(1000):
            armed.arm(str(number), FIRST)
            armed.disarm(str(number))
        assert armed.disarm("999")
        assert not armed.disarm("0")

    assert taken_back(story) == []


def test_an_executor_that_ends_takes_back_what_is_armed_and_arms_no_more() -> None:
    async def story(armed: Arming) -> None:
        armed.arm("a", FIRST)
        armed.close()
        assert armed.refusal("b", SECOND, 0) == "the executor is about to end, and arms nothing more"
        assert not armed.disarm("a")
        assert "the executor ended" in armed.gone("a")

    assert taken_back(story) == [FIRST]
