"""What could cut the host off is taken back by itself, and by nobody's leave for anything else."""

import asyncio
import os

import msgspec
import pytest
from tests.agent.executor.fakes import ALLOWED, DOWN, FORBIDDEN, MTU, MTU_BEFORE, UP, Stage, read_config, until

from guardian_agent.config import PlaybookSettings
from guardian_agent.errors import (
    OperationError,
    RefusedOperationError,
    TakenBackError,
    UnknownResultError,
)
from guardian_agent.executor import arming
from guardian_agent.executor.afterwards import Afterwards
from guardian_agent.host import RouteEntry, executor_client, executor_wire
from guardian_agent.host.executor_client import ExecutorClient
from guardian_agent.host.operations import (
    AddRoute,
    DeleteRoute,
    SetLink,
    WriteText,
)

HOSTS = WriteText("/etc/hosts", b"6.6.6.6 example.org\n")

HOSTS = WriteText("/etc/hosts", b"6.6.6.6 example.org\n")


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


@pytest.fixture
def client(stage):
    return ExecutorClient(stage.path, owner=os.getuid())


async def test_what_nobody_keeps_is_taken_back_and_written_down(stage, client):
    async with stage.running(armed_s=0.1, idle_s=0.01):
        await client.do(DOWN, UP)
        client._renewing.cancel()  # as when the agent is dead
        await stage.done(2)
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
        await stage.done(2)
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
        await stage.done(2)
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
        await stage.done(2)
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
        await until(lambda: stage.lines()[-1]["outcome"] == "refused")
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
        await stage.done(2)
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


async def test_an_error_with_a_name_that_is_no_text_is_told(stage, client):
    async def fail() -> None:
        raise OperationError("no file \udcff")

    stage.root.then = lambda _: fail()
    async with stage.running():
        with pytest.raises(OperationError, match=r"no file \\udcff"):
            await client.do(ALLOWED)
    assert [line["outcome"] for line in stage.lines()] == ["begun", "failed"]


async def test_what_an_executor_that_was_killed_had_armed_is_taken_back_by_the_next(stage, client, tmp_path):
    afterwards = Afterwards(tmp_path / "armed.json")
    afterwards.note([MTU_BEFORE, UP])
    async with stage.running(afterwards=afterwards):
        await stage.done(2)
    assert stage.root.done == [UP, MTU_BEFORE]
    assert afterwards.left() == []


async def test_what_is_armed_is_noted_until_it_is_kept_or_taken_back(stage, client, tmp_path):
    afterwards = Afterwards(tmp_path / "armed.json")
    async with stage.running(afterwards=afterwards):
        await client.do(DOWN, UP)
        await client.do(MTU, MTU_BEFORE)
        assert afterwards.left() == [UP, MTU_BEFORE]
        await client.keep()
        assert afterwards.left() == []
        await client.do(DOWN, UP)
        client._renewing.cancel()
    assert afterwards.left() == []


async def test_what_was_left_is_judged_as_everything_else(stage, client, tmp_path):
    afterwards = Afterwards(tmp_path / "armed.json")
    afterwards.note([SetLink("lo", up=False)])
    async with stage.running(afterwards=afterwards):
        await until(lambda: bool(stage.lines()))
    assert stage.root.done == []
    assert stage.lines()[-1]["error"] == "lo is never changed"
