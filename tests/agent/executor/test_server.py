"""The executor on a real socket, asked by the agent's own client."""

import asyncio
import logging
import os
import threading
import time

import msgspec
import pytest
from tests.agent.executor.fakes import ALLOWED, FORBIDDEN, STACKS, Stage, read_config

from guardian_agent.config import PlaybookSettings
from guardian_agent.errors import (
    OperationError,
    ProbeError,
    RefusedOperationError,
    TakenBackError,
    UnknownResultError,
)
from guardian_agent.executor import answering, arming, operating, record
from guardian_agent.executor.audit import AuditError
from guardian_agent.executor.pace import Pace
from guardian_agent.executor.threads import Work
from guardian_agent.host import RouteEntry, executor_client, executor_wire
from guardian_agent.host.executor_client import ExecutorClient
from guardian_agent.host.operations import (
    AddRoute,
    DeleteRoute,
    RemoveText,
    SetLink,
    SetLinkMtu,
    WriteSysctl,
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


DOWN, UP = SetLink("eth0", up=False), SetLink("eth0", up=True)
MTU, MTU_BEFORE = SetLinkMtu("eth0", 1400), SetLinkMtu("eth0", 1500)


async def armed_again(stage, count):
    """Returns when so many operations were done."""
    async with asyncio.timeout(10.0):
        while len(stage.root.done) < count:
            await asyncio.sleep(0.01)


async def test_what_nobody_keeps_is_taken_back_and_written_down(stage, client):
    async with stage.running(armed_s=0.1, idle_s=0.01):
        await client.do(DOWN, UP)
        client._renewing.cancel()  # as when the agent is dead
        await armed_again(stage, 2)
        assert stage.root.done == [DOWN, UP]
    assert [line["outcome"] for line in stage.lines()] == ["begun", "done", "begun", "done"]
    assert stage.lines()[2]["request"]["up"] is True
    assert stage.lines()[2]["pid"] == os.getpid()


async def test_what_is_kept_stays(stage, client):
    async with stage.running(armed_s=0.2):
        await client.do(DOWN, UP)
        await client.keep()
        await asyncio.sleep(0.3)
        await client.keep()  # once more is fine
    assert stage.root.done == [DOWN]


async def test_an_agent_that_lives_has_as_long_as_it_needs(stage, client, monkeypatch):
    monkeypatch.setattr(executor_client, "ARMED_S", 0.2)
    async with stage.running(armed_s=1.0):
        await client.do(DOWN, UP)
        await asyncio.sleep(1.5)
        assert stage.root.done == [DOWN]
        await client.keep()


async def test_an_agent_that_was_away_for_too_long_is_told_that_its_change_is_gone(stage, client):
    async with stage.running(armed_s=0.1):
        await client.do(DOWN, UP)
        client._renewing.cancel()
        await armed_again(stage, 2)
        with pytest.raises(TakenBackError, match=r"taken back by the executor: nothing was heard for 0\.1 s"):
            await client.keep()
        await client.keep()  # it has nothing to keep any more
        await client.do(DOWN, UP)  # another repair begins anew
        await client.keep()
    assert stage.root.done == [DOWN, UP, DOWN]


async def test_a_change_after_one_that_was_taken_back_is_not_made(stage, client):
    async with stage.running(armed_s=0.1):
        await client.do(DOWN, UP)
        client._renewing.cancel()
        await armed_again(stage, 2)
        with pytest.raises(RefusedOperationError, match="nothing was heard for"):
            await client.do(MTU, MTU_BEFORE)
    assert stage.root.done == [DOWN, UP]


async def test_whoever_renews_hears_that_it_is_gone_and_makes_no_other_change(stage, client, monkeypatch):
    monkeypatch.setattr(executor_client, "ARMED_S", 0.4)
    async with stage.running(armed_s=0.01):
        await client.do(DOWN, UP)
        await client._renewing
        asked = len(stage.lines())
        with pytest.raises(RefusedOperationError, match="it was taken back"):
            await client.do(MTU, MTU_BEFORE)
        assert len(stage.lines()) == asked  # not even asked for
        with pytest.raises(TakenBackError):
            await client.keep()


async def test_a_token_of_an_executor_that_died_is_gone_too(stage, client):
    async with stage.running():
        await client.do(DOWN, UP)
        await client.do(MTU, MTU_BEFORE)
        client._renewing.cancel()
        stage.executor._operating.arming._nets.clear()  # as another process that was started since
        with pytest.raises(RefusedOperationError, match="is not armed any more"):
            await client.do(MTU, MTU_BEFORE)
        with pytest.raises(TakenBackError, match="this executor has armed nothing under that token"):
            await client.keep()


async def test_an_executor_that_cannot_be_told_takes_it_back_which_the_agent_says(stage, client, monkeypatch):
    monkeypatch.setattr(executor_client, "ARMED_S", 0.2)
    monkeypatch.setattr(executor_client, "AGAIN_S", 0.05)
    async with stage.running():
        await client.do(DOWN, UP)
    stage.path.unlink()
    with pytest.raises(TakenBackError, match="it cannot be told that it may stay"):
        await client.keep()


async def test_what_could_not_be_taken_back_is_not_done(stage, client):
    async with stage.running():
        for undo in (FORBIDDEN, ALLOWED, HOSTS, SetLink("eth1", up=True), MTU):
            with pytest.raises(RefusedOperationError, match="taking it back: that is something else"):
                await client.do(DOWN, undo)
        await client.keep()  # nothing was armed, and nothing is gone
    assert stage.root.done == []
    assert {line["outcome"] for line in stage.lines()} == {"refused"}


async def test_what_takes_it_back_must_be_allowed_itself(stage, client):
    route = RouteEntry(destination="127.0.0.0/8", interface="eth0")
    async with stage.running():
        with pytest.raises(RefusedOperationError):
            await client.do(DeleteRoute(route), AddRoute(route))
        await client.keep()
    assert stage.root.done == []


async def test_what_cannot_cut_the_host_off_is_not_armed_by_whoever_asks_for_it(stage, client):
    async with stage.running(armed_s=0.05):
        answer = await client._request(executor_wire.Do(ALLOWED, ALLOWED, "t"), 5.0)
        assert "cannot cut this host off" in answer.reason
        await client.do(ALLOWED, ALLOWED)  # the agent itself does not even try
        await asyncio.sleep(0.2)
    assert stage.root.done == [ALLOWED]


async def test_a_refused_arming_has_one_line_that_says_so(stage, client, monkeypatch):
    monkeypatch.setattr(arming, "MOST_ARMED", 0)
    async with stage.running():
        with pytest.raises(RefusedOperationError, match="0 changes are armed already"):
            await client.do(DOWN, UP)
        await client.keep()
    assert [(line["outcome"], line.get("error")) for line in stage.lines()] == [
        ("refused", "0 changes are armed already")
    ]


async def test_an_arming_that_is_refused_at_the_last_moment_ends_what_was_begun(stage, client):
    real = stage.audit.write

    def ends_meanwhile(entry):
        real(entry)
        if entry.outcome == "begun":
            stage.executor._operating.arming._closed = True

    stage.audit.write = ends_meanwhile
    async with stage.running():
        with pytest.raises(RefusedOperationError, match="about to end"):
            await client.do(DOWN, UP)
        await client.keep()
    assert [line["outcome"] for line in stage.lines()] == ["begun", "refused"]
    assert stage.root.done == []


async def test_the_next_agent_can_keep_what_one_had_armed_that_died(stage, client):
    async with stage.running(armed_s=0.3):
        await client.do(DOWN, UP)
        client._renewing.cancel()
        await ExecutorClient(stage.path, owner=os.getuid()).keep(of_others=True)
        await asyncio.sleep(0.5)
    assert stage.root.done == [DOWN]


@pytest.mark.parametrize("how", ["hold", "observe", "broken", "unsafe"])
async def test_a_host_that_is_cut_off_is_not_left_so_by_the_hold_file_or_a_configuration_that_says_nothing(
    stage, client, tmp_path, how
):
    async with stage.running(armed_s=0.3):
        await client.do(DOWN, UP)
        client._renewing.cancel()
        if how == "hold":
            (tmp_path / "hold").touch()
        elif how == "unsafe":
            stage.file.chmod(0o666)
        else:
            text = stage.file.read_text()
            stage.file.write_text(text.replace('"heal"', '"observe"') if how == "observe" else "mode = [")
        with pytest.raises(RefusedOperationError):
            await client.do(UP)  # whatever the agent asks for is refused
        await armed_again(stage, 2)
    assert stage.root.done == [DOWN, UP]


async def test_under_the_hold_file_nothing_new_is_armed_and_what_is_armed_ends_in_minutes(stage, client, tmp_path):
    async with stage.running(armed_s=0.3):
        await client.do(DOWN, UP)
        (tmp_path / "hold").touch()
        with pytest.raises(RefusedOperationError, match="the hold file"):
            await client.do(MTU, MTU_BEFORE)
        await client.keep()  # leaving it as it is changes nothing
        await asyncio.sleep(0.5)
    assert stage.root.done == [DOWN]


async def test_what_the_operator_forbids_meanwhile_is_not_done_and_written_down(stage, client):
    async with stage.running(armed_s=0.3):
        await client.do(DOWN, UP)
        client._renewing.cancel()
        forbids = {"bounce_link": PlaybookSettings(enabled=False)}
        stage.policies._read = lambda: msgspec.structs.replace(read_config(stage.file), playbooks=forbids)
        stage.file.write_text(stage.file.read_text() + "# changed\n")
        async with asyncio.timeout(10.0):
            while stage.lines()[-1]["outcome"] != "refused":
                await asyncio.sleep(0.02)
    assert stage.root.done == [DOWN]
    assert stage.lines()[-1]["error"] == "playbooks.bounce_link.enabled is false"


async def test_an_executor_that_is_stopped_takes_back_first_what_is_armed(stage, client):
    async with stage.running():
        await client.do(DOWN, UP)
        await client.do(MTU, MTU_BEFORE)
        client._renewing.cancel()
        stage.executor.stop()
        assert await asyncio.wait_for(stage.serving, 5.0) is True
    assert stage.root.done == [DOWN, MTU, MTU_BEFORE, UP]
    assert stage.lines()[-1]["outcome"] == "done"


async def test_an_operation_that_does_not_end_takes_nothing_along_that_is_armed(stage, client, monkeypatch):
    async with stage.running():
        await client.do(DOWN, UP)
        client._renewing.cancel()
        monkeypatch.setattr(executor_wire, "DO_LIMIT_S", 0.1)
        stage.root.then = lambda operation: asyncio.sleep(60) if operation == ALLOWED else None
        with pytest.raises(UnknownResultError, match="not done within"):
            await client.do(ALLOWED)
        assert await asyncio.wait_for(stage.serving, 5.0) is False
    assert stage.root.done == [DOWN, UP]


async def test_what_is_armed_does_not_wait_for_an_operation_that_takes_long(stage, client):
    free = asyncio.Event()
    stage.root.then = lambda operation: free.wait() if operation == ALLOWED else None
    async with stage.running(armed_s=0.2):
        await client.do(DOWN, UP)
        client._renewing.cancel()
        asking = asyncio.create_task(client.do(ALLOWED))
        await armed_again(stage, 2)
        assert stage.root.done == [DOWN, UP]
        free.set()
        await asking


async def test_an_undo_that_fails_keeps_no_other_from_being_done(stage, client):
    def fails(operation):
        if operation == MTU_BEFORE:
            raise KeyError("oh")

    stage.root.then = fails
    async with stage.running():
        await client.do(DOWN, UP)
        await client.do(MTU, MTU_BEFORE)
        client._renewing.cancel()
    assert stage.root.done == [DOWN, MTU, UP]


# What hangs


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
            await armed_again(stage, 3)
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


async def test_an_audit_log_that_hangs_lets_nothing_begin_but_what_is_armed_is_taken_back(stage, client, monkeypatch):
    hang = threading.Event()
    try:
        async with stage.running(armed_s=0.3):
            await client.do(DOWN, UP)
            client._renewing.cancel()
            monkeypatch.setattr(operating, "UNDO_RECORD_LIMIT_S", 0.05)
            monkeypatch.setattr(record, "LIMIT_S", 0.05)
            real = stage.audit.write
            monkeypatch.setattr(stage.audit, "write", lambda entry: (hang.wait(), real(entry)))
            with pytest.raises(RefusedOperationError, match=r"not written within 0\.05 s"):
                await client.do(ALLOWED)
            await armed_again(stage, 2)
            assert stage.root.done == [DOWN, UP]
            hang.set()
    finally:
        hang.set()
    outcomes = {}
    for line in stage.lines():
        outcomes.setdefault(line["id"], []).append(line["outcome"])
    assert list(outcomes.values()) == [["begun", "done"], ["begun", "refused"], ["begun", "done"]]


# What is said


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


async def test_an_error_with_a_name_that_is_no_text_is_told(stage, client):
    async def fail() -> None:
        raise OperationError("no file \udcff")

    stage.root.then = lambda _: fail()
    async with stage.running():
        with pytest.raises(OperationError, match=r"no file \\udcff"):
            await client.do(ALLOWED)
    assert [line["outcome"] for line in stage.lines()] == ["begun", "failed"]


async def test_nobody_makes_a_line_of_his_own_in_the_journal(stage, client, caplog):
    caplog.set_level(logging.INFO)
    async with stage.running():
        with pytest.raises(RefusedOperationError):
            await client.do(RemoveText("/etc/x\n<6>user 0: systemctl stop sshd.service: done" + "x" * 10**5))
        with pytest.raises(RefusedOperationError):
            await client.do(WriteSysctl("net.core.somaxconn", "1\r\u2028<3>oh"))
    messages = [entry.getMessage() for entry in caplog.records]
    assert any("\\n<6>user 0" in message for message in messages)
    assert all(message.isprintable() and len(message) < 1000 for message in messages)


async def test_an_armed_change_counts_twice_as_taking_it_back_has_lines_of_its_own(stage, client):
    pace = Pace(burst=100, per_second=0.001)
    async with stage.running(pace=pace):
        await client.do(ALLOWED)
        left = pace._left
        await client.do(DOWN, UP)
        assert round(left - pace._left) == 2
        await client.keep()
