"""The executor on a real socket, asked by the agent's own client."""

import asyncio
import os

import pytest
from tests.agent.executor.fakes import ALLOWED, FORBIDDEN, STACKS, Stage

from guardian_agent.errors import OperationError, ProbeError, RefusedOperationError, UnknownResultError
from guardian_agent.executor.audit import AuditError
from guardian_agent.executor.pace import Pace
from guardian_agent.host import executor_client, executor_wire
from guardian_agent.host.executor_client import ExecutorClient
from guardian_agent.host.operations import WriteSysctl


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


# What could cut the host off


BEFORE = WriteSysctl("net.core.somaxconn", "128")


@pytest.fixture
def cutting(monkeypatch):
    """The allowed change is one that may cut the host off."""
    monkeypatch.setattr(WriteSysctl, "may_cut_off", True)


@pytest.mark.usefixtures("cutting")
async def test_what_nobody_keeps_is_taken_back_and_written_down(stage, client):
    async with stage.running(armed_s=0.1, idle_s=0.01):
        await client.do(ALLOWED, BEFORE)
        client._renewing.cancel()  # as when the agent is dead
        taken_back = asyncio.Event()
        stage.root.then = lambda _: taken_back.set()
        await asyncio.wait_for(taken_back.wait(), 10.0)
        assert stage.root.done == [ALLOWED, BEFORE]
    assert [line["outcome"] for line in stage.lines()] == ["begun", "done", "begun", "done"]
    assert stage.lines()[2]["request"]["value"] == "128"


@pytest.mark.usefixtures("cutting")
async def test_what_is_kept_stays(stage, client):
    async with stage.running(armed_s=0.2):
        await client.do(ALLOWED, BEFORE)
        await client.keep()
        await asyncio.sleep(0.3)
        await client.keep()  # once more is fine
    assert stage.root.done == [ALLOWED]


@pytest.mark.usefixtures("cutting")
async def test_an_agent_that_lives_has_as_long_as_it_needs(stage, client, monkeypatch):
    monkeypatch.setattr(executor_client, "ARMED_S", 0.2)
    async with stage.running(armed_s=1.0):
        await client.do(ALLOWED, BEFORE)
        await asyncio.sleep(1.5)
        assert stage.root.done == [ALLOWED]
        await client.keep()


@pytest.mark.usefixtures("cutting")
async def test_what_could_not_be_taken_back_is_not_done(stage, client):
    async with stage.running():
        with pytest.raises(RefusedOperationError, match=r"taking it back: kernel\.core_pattern"):
            await client.do(ALLOWED, FORBIDDEN)
        await client.keep()
    assert stage.root.done == []


@pytest.mark.usefixtures("cutting")
async def test_the_next_agent_can_keep_what_one_had_armed_that_died(stage, client):
    async with stage.running(armed_s=0.3):
        await client.do(ALLOWED, BEFORE)
        client._renewing.cancel()
        await ExecutorClient(stage.path, owner=os.getuid()).keep(of_others=True)
        await asyncio.sleep(0.5)
    assert stage.root.done == [ALLOWED]


async def test_nothing_else_is_armed(stage, client):
    async with stage.running(armed_s=0.05):
        await client.do(ALLOWED, BEFORE)
        await asyncio.sleep(0.2)
    assert stage.root.done == [ALLOWED]
