"""The agent's side of the executor's socket, against whatever may listen there."""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from guardian_agent.errors import NotReachedError, OperationError, ProbeError, RefusedOperationError, UnknownResultError
from guardian_agent.host import executor_client
from guardian_agent.host.executor_client import ExecutorClient, executor_at
from guardian_agent.host.executor_wire import DO_LIMIT_S, MOST_S, REQUEST_LIMIT, limit_s
from guardian_agent.host.operations import WriteSysctl
from guardian_agent.host.questions import ReadStacks, ThreadStack

CHANGE = WriteSysctl("net.core.somaxconn", "4096")
QUESTION = ReadStacks("web.service")

Serve = Callable[[bytes], AbstractAsyncContextManager[list[bytes]]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "executor.sock"


@pytest.fixture
def client(path: Path) -> ExecutorClient:
    return ExecutorClient(path, owner=os.getuid())


@pytest.fixture
def answering(path: Path) -> Serve:
    """Answers every request with the same bytes, and ends the connection."""

    @asynccontextmanager
    async def serve(answer: bytes) -> Any:
        asked: list[bytes] = []

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readline())
            writer.write(answer)
            writer.close()

        server = await asyncio.start_unix_server(handle, path, limit=2 * REQUEST_LIMIT)
        try:
            yield asked
        finally:
            server.close()
            await server.wait_closed()

    return serve


async def test_done_is_done(client, answering):
    async with answering(b'{"type":"Done"}\n') as asked:
        await client.do(CHANGE)
    said = b'{"type":"WriteSysctl","name":"net.core.somaxconn","value":"4096"}'
    assert asked == [b'{"type":"Do","operation":' + said + b',"undo":null,"token":"","earlier":0}\n']


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b'{"type":"Refused","reason":"no"}\n', RefusedOperationError),
        (b'{"type":"Failed","reason":"no"}\n', OperationError),
        (b'{"type":"Unknown","reason":"no"}\n', UnknownResultError),
    ],
)
async def test_each_answer_is_an_error_of_its_own_and_says_what_it_was_about(client, answering, answer, error):
    async with answering(answer):
        with pytest.raises(error) as caught:
            await client.do(CHANGE)
    assert type(caught.value) is error
    assert str(caught.value) == f"{CHANGE.describe()}: no"


LOST = [
    b"",  # it ended
    b'{"type":"Done"}',  # … in the middle of its answer
    b'{"type":"Do',
    b"garbage\n",
    b'{"type":"Something"}\n',
    b'{"type":"Told","answer":1}\n',  # an answer to something else
    b"\xff\xfe\n",
    b"[" * 100_000 + b"\n",
]


@pytest.mark.parametrize("answer", LOST)
async def test_after_an_answer_that_was_lost_nobody_knows(client, answering, answer):
    async with answering(answer):
        with pytest.raises(UnknownResultError, match="executor") as caught:
            await client.do(CHANGE)
    assert not isinstance(caught.value, RefusedOperationError)


@pytest.mark.parametrize("answer", LOST)
async def test_a_question_whose_answer_was_lost_cannot_be_told(client, answering, answer):
    async with answering(answer):
        with pytest.raises(ProbeError):
            await client.ask(QUESTION)


async def test_an_answer_that_is_too_long_is_none(client, answering, monkeypatch):
    monkeypatch.setattr(executor_client, "ANSWER_LIMIT", 1000)
    async with answering(b'{"type":"Done","x":"' + b"x" * 5000 + b'"}\n'):
        with pytest.raises(UnknownResultError, match="does not answer like an executor"):
            await client.do(CHANGE)


async def test_a_request_that_is_too_long_is_not_sent(client, answering):
    async with answering(b'{"type":"Done"}\n') as asked:
        with pytest.raises(RefusedOperationError, match="a request has at most"):
            await client.do(WriteSysctl("a.b", "1" * REQUEST_LIMIT))
    assert asked == []


async def test_an_answer_is_decoded_as_the_question_says(client, answering):
    async with answering(b'{"type":"Told","answer":[{"pid":1,"tid":2,"name":"nginx","status":"D"}]}\n'):
        assert await client.ask(QUESTION) == (ThreadStack(pid=1, tid=2, name="nginx", status="D"),)


async def test_where_nobody_listens_nothing_was_done_and_it_may_be_tried_again(client):
    with pytest.raises(NotReachedError, match="cannot be reached at") as caught:
        await client.do(CHANGE)
    assert isinstance(caught.value, RefusedOperationError)
    assert isinstance(caught.value, UnknownResultError)
    with pytest.raises(ProbeError, match="cannot be reached at"):
        await client.ask(QUESTION)
    with pytest.raises(ProbeError, match="cannot be reached at"):
        await client.greeting()


async def test_an_executor_that_says_nothing_is_not_waited_for_for_ever(client, path, monkeypatch):
    monkeypatch.setattr(executor_client, "HELLO_S", 0.1)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen()  # and accepts nothing
        with pytest.raises(ProbeError, match=r"no answer within 0\.1 s"):
            await client.greeting()


async def test_somebody_else_who_listens_there_is_told_nothing(path, answering):
    stranger = ExecutorClient(path, owner=os.getuid() + 1)
    async with answering(b'{"type":"Done"}\n') as asked:
        with pytest.raises(NotReachedError, match="which is not the executor"):
            await stranger.do(CHANGE)
        await asyncio.sleep(0.05)
    assert asked == [b""]


def test_whoever_is_not_root_has_an_executor_and_root_only_where_one_is(path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert isinstance(executor_at(path), ExecutorClient)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert executor_at(path) is None
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        assert isinstance(executor_at(path), ExecutorClient)


class Timed:
    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s


def test_an_operation_with_a_limit_of_its_own_has_that_one_up_to_the_most():
    assert limit_s(CHANGE) == DO_LIMIT_S
    waits: Callable[[Any], float] = limit_s
    assert (waits(Timed(5.0)), waits(Timed(1e9)), waits(Timed(-1.0))) == (15.0, MOST_S + 10.0, 10.0)
