"""The executor on a real socket, asked by the agent's own client."""

import asyncio
import os

import pytest
from tests.agent.executor.fakes import ALLOWED, DOWN, FORBIDDEN, STACKS, UP, Stage

from guardian_agent.errors import (
    OperationError,
    ProbeError,
    RefusedOperationError,
    UnknownResultError,
)
from guardian_agent.executor.audit import AuditError
from guardian_agent.executor.pace import Pace
from guardian_agent.host import executor_wire
from guardian_agent.host.executor_client import ExecutorClient
from guardian_agent.host.operations import (
    WriteText,
)

HOSTS = WriteText("/etc/hosts", b"6.6.6.6 example.org\n")


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


@pytest.fixture
def client(stage):
    return ExecutorClient(stage.path, owner=os.getuid())


async def test_what_is_allowed_is_done_and_written_down(stage, client):
    async with stage.running():
        await client.do(ALLOWED)
    assert stage.root.done == [ALLOWED]
    begun, done = stage.lines()
    assert (begun["outcome"], done["outcome"]) == ("begun", "done")
    assert begun["id"] == done["id"]
    assert begun["request"] == {"type": "WriteSysctl", "name": "net.core.somaxconn", "value": "4096"}
    assert (begun["uid"], begun["pid"]) == (os.getuid(), os.getpid())
    assert begun["what"] == ALLOWED.describe()


async def test_what_is_not_allowed_is_not_done_and_written_down(stage, client):
    async with stage.running():
        with pytest.raises(RefusedOperationError, match="is not among the kernel settings"):
            await client.do(FORBIDDEN)
    assert stage.root.done == []
    (line,) = stage.lines()
    assert (line["outcome"], line["request"]["name"]) == ("refused", "kernel.core_pattern")


async def test_it_is_on_disk_before_it_is_begun(stage, client):
    seen = []
    stage.root.then = lambda _: seen.extend(line["outcome"] for line in stage.lines())
    async with stage.running():
        await client.do(ALLOWED)
    assert seen == ["begun"]


async def test_what_cannot_be_written_down_is_not_done(stage, client, monkeypatch):
    def full(_: object) -> None:
        raise AuditError("the disk is full")

    monkeypatch.setattr(stage.audit, "write", full)
    async with stage.running():
        with pytest.raises(RefusedOperationError, match="the disk is full"):
            await client.do(ALLOWED)
        with pytest.raises(ProbeError, match="the disk is full"):
            await client.ask(STACKS)
    assert stage.root.done == []


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [(RefusedOperationError, "refused"), (OperationError, "failed"), (UnknownResultError, "unknown")],
)
async def test_each_way_of_failing_comes_back_as_itself(stage, client, raised, outcome):
    async def fail() -> None:
        raise raised("a bad day")

    stage.root.then = lambda _: fail()
    async with stage.running():
        with pytest.raises(raised, match="a bad day") as caught:
            await client.do(ALLOWED)
    assert type(caught.value) is raised
    assert [line["outcome"] for line in stage.lines()] == ["begun", outcome]


async def test_what_could_not_be_read_first_is_a_failure(stage, client):
    async def fail() -> None:
        raise ProbeError("no bus")

    stage.root.then = lambda _: fail()
    async with stage.running():
        with pytest.raises(OperationError, match="no bus"):
            await client.do(ALLOWED)


@pytest.mark.filterwarnings("ignore")
async def test_a_mistake_of_ours_is_an_unknown_result_and_written_down(stage, client):
    async def fail() -> None:
        raise KeyError("oh")

    stage.root.then = lambda _: fail()
    async with stage.running():
        with pytest.raises(UnknownResultError):
            await client.do(ALLOWED)
        stage.root.then = None
        await client.do(ALLOWED)
    assert [line["outcome"] for line in stage.lines()] == ["begun", "unknown", "begun", "done"]


async def test_one_operation_at_a_time(stage, client):
    inside, most = 0, 0

    async def work() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.02)
        inside -= 1

    stage.root.then = lambda _: work()
    async with stage.running():
        await asyncio.gather(*(client.do(ALLOWED) for _ in range(4)))
    assert (most, len(stage.root.done)) == (1, 4)


async def test_whoever_gave_up_waiting_gets_nothing_done(stage, client):
    free = asyncio.Event()
    stage.root.then = lambda _: free.wait()
    async with stage.running():
        first = asyncio.create_task(client.do(ALLOWED))
        await asyncio.sleep(0.1)
        second = asyncio.create_task(client.do(ALLOWED))
        await asyncio.sleep(0.1)
        second.cancel()
        await asyncio.sleep(0.1)
        free.set()
        await first
    assert len(stage.root.done) == 1
    assert stage.lines()[-1]["error"] == "whoever asked has gone before it was begun"


async def test_what_was_begun_is_carried_through_though_nobody_waits(stage, client):
    free = asyncio.Event()
    stage.root.then = lambda _: free.wait()
    async with stage.running():
        asking = asyncio.create_task(client.do(ALLOWED))
        await asyncio.sleep(0.1)
        asking.cancel()
        await asyncio.sleep(0.05)
        free.set()
    assert stage.root.done == [ALLOWED]
    assert stage.lines()[-1]["outcome"] == "done"


async def test_another_user_is_refused_whatever_he_asks(stage, client):
    async with stage.running(users={os.getuid() + 1}):
        for asking in (client.do(ALLOWED), client.ask(STACKS), client.greeting()):
            with pytest.raises((RefusedOperationError, ProbeError), match="may not ask the executor for anything"):
                await asking
    assert stage.root.done == []
    assert [line["outcome"] for line in stage.lines()] == ["refused"] * 3


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense\n",
        b'{"type":"Do","operation":{"type":"Reboot"}}\n',
        b'{"type":"Do"}\n',
        b'{"type":"Do","operation":{"type":"RestartUnit","unit":"web.service"}}\n',
        b"[" * 100_000 + b"\n",
        b"\xff\xfe\n",
        b'{"type":"Do",' + b" " * executor_wire.REQUEST_LIMIT + b"\n",
    ],
)
async def test_what_is_no_request_is_refused(stage, line):
    async with stage.running():
        reader, writer = await asyncio.open_unix_connection(os.fspath(stage.path))
        writer.write(line)
        assert b'"Refused"' in await reader.readline()
        writer.close()
    assert stage.root.done == []
    assert stage.lines()[0]["outcome"] == "refused"


async def test_half_a_request_does_nothing(stage):
    async with stage.running():
        _, writer = await asyncio.open_unix_connection(os.fspath(stage.path))
        writer.write(executor_wire.msgspec.json.encode(executor_wire.Do(ALLOWED)))
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.1)
    assert stage.root.done == []


async def test_without_work_it_ends(stage, client):
    async with stage.running(idle_s=0.2):
        await client.do(ALLOWED)
        assert await asyncio.wait_for(stage.serving, 2.0) is True


async def test_it_does_not_end_in_the_middle_of_work(stage, client):
    stage.root.then = lambda _: asyncio.sleep(0.3)
    async with stage.running(idle_s=0.1):
        await client.do(ALLOWED)
    assert stage.root.done == [ALLOWED]


async def test_what_does_not_end_in_its_time_ends_the_executor(stage, client, monkeypatch):
    monkeypatch.setattr(executor_wire, "DO_LIMIT_S", 0.1)
    stage.root.then = lambda _: asyncio.sleep(60)
    async with stage.running():
        with pytest.raises(UnknownResultError, match="not done within"):
            await client.do(ALLOWED)
        assert await asyncio.wait_for(stage.serving, 2.0) is False
    assert stage.lines()[-1]["outcome"] == "unknown"


async def test_it_greets_and_says_why_it_would_refuse(stage, client, tmp_path):
    async with stage.running():
        assert (await client.greeting()).refusal == ""
        (tmp_path / "hold").touch()
        assert "the hold file" in (await client.greeting()).refusal
    assert stage.lines() == []


async def test_an_endless_asker_is_slowed_down(stage, client):
    async with stage.running(pace=Pace(burst=2, per_second=20.0)):
        began_s = asyncio.get_running_loop().time()
        for _ in range(6):
            await client.do(ALLOWED)
        assert asyncio.get_running_loop().time() - began_s > 0.15


async def test_an_armed_change_counts_twice_as_taking_it_back_has_lines_of_its_own(stage, client):
    pace = Pace(burst=100, per_second=0.001)
    async with stage.running(pace=pace):
        await client.do(ALLOWED)
        left = pace._left
        await client.do(DOWN, UP)
        assert round(left - pace._left) == 2
        await client.keep()
