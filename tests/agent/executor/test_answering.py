"""A question is answered whatever becomes of it, and one that hangs keeps nothing else from being done."""

import asyncio
import os
import threading
import time

import pytest
from tests.agent.executor.fakes import ALLOWED, DOWN, STACKS, UP, Stage

from guardian_agent.errors import (
    ProbeError,
)
from guardian_agent.executor import answering
from guardian_agent.executor.threads import Work
from guardian_agent.host.executor_client import ExecutorClient
from guardian_agent.host.operations import (
    WriteText,
)
from guardian_agent.host.questions import ThreadStack

HOSTS = WriteText("/etc/hosts", b"6.6.6.6 example.org\n")


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


@pytest.fixture
def client(stage):
    return ExecutorClient(stage.path, owner=os.getuid())


async def test_a_question_is_answered_with_its_own_type_and_one_line(stage, client):
    async with stage.running():
        answer = await client.ask(STACKS)
    assert answer == stage.root.answer
    (line,) = stage.lines()
    assert (line["outcome"], line["request"]["unit"]) == ("answered", "web.service")


async def test_a_question_that_cannot_be_answered_says_why(stage, client):
    stage.root.answer = ProbeError("no such unit")
    async with stage.running():
        with pytest.raises(ProbeError, match=r"the stacks of web\.service: no such unit"):
            await client.ask(STACKS)
    assert [line["outcome"] for line in stage.lines()] == ["failed"]


async def test_questions_that_hang_keep_nothing_from_being_done_or_taken_back(stage, client, monkeypatch):
    monkeypatch.setattr(answering, "ASK_LIMIT_S", 0.05)
    hang = threading.Event()
    monkeypatch.setattr(stage.root, "ask", lambda _: asyncio.to_thread(hang.wait))
    try:
        async with stage.running(armed_s=0.3):
            for _ in range(Work.QUESTION.value):
                with pytest.raises(ProbeError, match=r"no answer within 0\.05 s"):
                    await client.ask(STACKS)
            with pytest.raises(ProbeError, match="all threads for questions hang"):
                await client.ask(STACKS)
            stage.root.then = lambda _: asyncio.to_thread(time.monotonic)
            await client.do(ALLOWED)
            await client.do(DOWN, UP)
            client._renewing.cancel()
            await stage.done(3)
            assert stage.root.done == [ALLOWED, DOWN, UP]
            stage.executor.stop()
            assert await asyncio.wait_for(stage.serving, 5.0) is False  # these threads end with the process only
    finally:
        hang.set()
    assert [line["outcome"] for line in stage.lines()].count("failed") == Work.QUESTION.value + 1


async def test_only_so_many_questions_are_answered_at_once(stage, client, monkeypatch):
    monkeypatch.setattr(answering, "MOST_AT_ONCE", 1)
    free = asyncio.Event()

    async def slow(_):
        await free.wait()
        return ()

    monkeypatch.setattr(stage.root, "ask", slow)
    async with stage.running():
        first = asyncio.create_task(client.ask(STACKS))
        await asyncio.sleep(0.1)
        with pytest.raises(ProbeError, match="1 questions are being answered already"):
            await client.ask(STACKS)
        free.set()
        assert await first == ()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((ThreadStack(pid=1, tid=2, name="\udcff", status="S"),), "a name in the answer is no UTF-8"),
        (ProbeError("no file \udcff"), "no file \\udcff"),
        (KeyError("oh"), "the executor failed at it: KeyError"),
        (object(), "the executor failed at it: TypeError"),
    ],
)
async def test_whatever_becomes_of_a_question_it_is_answered_and_written_down(stage, client, answer, said):
    stage.root.answer = answer
    async with stage.running():
        with pytest.raises(ProbeError) as caught:
            await client.ask(STACKS)
    assert said in str(caught.value)
    assert [(line["outcome"], line["error"]) for line in stage.lines()] == [("failed", said)]
