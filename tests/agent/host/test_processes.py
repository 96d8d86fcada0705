import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from guardian_agent.errors import OperationError, ProbeError
from guardian_agent.host import processes as module
from guardian_agent.host import programs
from guardian_agent.host.operations import RunProgram, StartCommand, StopCommand
from guardian_agent.host.processes import LocalProcesses
from guardian_agent.host.sessions import Session, leader_with, members, read_stat
from guardian_agent.host.sockets import LocalSockets
from guardian_agent.model import Endpoint

FOREVER = ("sleep", "600")


@asynccontextmanager
async def agent(state_dir):
    """One life of an agent; what it started goes on after it."""
    processes = LocalProcesses(state_dir)
    try:
        yield processes
    finally:
        await processes.close()


@pytest.fixture
async def processes(tmp_path):
    async with agent(tmp_path) as processes:
        yield processes
    async with agent(tmp_path) as after:
        for file in (tmp_path / "commands").glob("*.json"):
            await after.stop_command(StopCommand(file.stem, grace_s=0))


async def started(processes, argv=FOREVER, name="web"):
    await processes.start_command(StartCommand(name, tuple(argv)))
    return await processes.command(name)


async def until(true, within_s=5.0):
    async with asyncio.timeout(within_s):
        while not (found := true()):  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.002)
    return found


def same(one, other):
    return (one.pid, one.start_ticks, one.alive) == (other.pid, other.start_ticks, other.alive)


def shell(script):
    return ("sh", "-c", script)


def log_of(tmp_path, name="web"):
    return (tmp_path / "commands" / f"{name}.log").read_text()


async def test_a_started_command_leads_a_session_of_its_own(processes, tmp_path):
    state = await started(processes, shell("echo hello; echo there >&2; readlink /proc/self/fd/0; exec sleep 600"))
    assert state.alive
    assert (os.getsid(state.pid), os.getsid(0) != state.pid) == (state.pid, True)
    await until(lambda: log_of(tmp_path) == "hello\nthere\n/dev/null\n")


async def test_what_our_service_manager_tells_us_is_not_handed_on(processes, tmp_path, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/ours")
    monkeypatch.setenv("THEIRS", "kept")
    await started(processes, shell("echo ${NOTIFY_SOCKET-none} $THEIRS; exec sleep 600"))
    await until(lambda: log_of(tmp_path) == "none kept\n")


async def test_sigpipe_ends_it_as_it_would_in_a_shell(processes):
    await started(processes, shell("kill -PIPE $$; exec sleep 600"))
    await asyncio.wait_for(processes.wait_exit("web"), 5)
    assert (await processes.command("web")).exit_code == -signal.SIGPIPE


async def test_starting_twice_starts_once(processes):
    assert same(await started(processes), await started(processes))


async def test_two_at_once_start_once(processes, tmp_path):
    await asyncio.gather(*(started(processes, shell("echo up; exec sleep 600")) for _ in range(5)))
    await until(lambda: log_of(tmp_path))
    assert log_of(tmp_path) == "up\n"


async def test_one_that_was_never_started_is_none(processes):
    assert await processes.command("web") is None
    await processes.wait_exit("web")
    await processes.stop_command(StopCommand("web"))


async def test_a_program_that_is_not_there_cannot_be_started(processes):
    with pytest.raises(OperationError, match="cannot start /no/such: No such file"):
        await started(processes, ("/no/such",))


async def test_after_a_start_that_failed_the_command_is_dead_also_for_the_next_agent(processes, tmp_path):
    with pytest.raises(OperationError):
        await started(processes, ("/no/such",))
    for each in (processes, LocalProcesses(tmp_path)):
        state = await each.command("web")
        assert state is not None and (state.pid, state.alive) == (0, False)
    await processes.wait_exit("web")
    assert (await started(processes)).alive
    with pytest.raises(OperationError):
        await processes.stop_command(StopCommand("web", grace_s=0))
        await started(processes, ("/no/such",))
    await processes.stop_command(StopCommand("web"))


async def test_a_program_gets_no_more_of_our_environment_than_it_needs(processes, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    operation = RunProgram(shell(f"env > {tmp_path}/said"), environment={"GUARDIAN_TEXT": "y"})
    await processes.run_program(operation)
    names = {line.partition("=")[0] for line in (tmp_path / "said").read_text().splitlines()}
    assert {"PATH", "GUARDIAN_TEXT"} <= names <= {"PATH", "LANG", "GUARDIAN_TEXT", "PWD", "SHLVL", "_"}


@pytest.mark.parametrize(("end", "code"), [("exit 3", 3), ("exit 0", 0), ("kill -9 $$", -9)])
async def test_the_exit_is_seen_at_once_and_leaves_no_zombie(processes, end, code):
    state = await started(processes, shell(end))
    await asyncio.wait_for(processes.wait_exit("web"), 5)
    after = await processes.command("web")
    assert (after.pid, after.alive, after.exit_code) == (state.pid, False, code)
    assert read_stat(state.pid) is None


async def test_a_stopped_process_is_alive_and_says_so(processes):
    state = await started(processes)
    os.kill(state.pid, signal.SIGSTOP)
    await until(lambda: read_stat(state.pid).status == "T")
    state = await processes.command("web")
    assert (state.alive, state.status) == (True, "T")


async def test_many_may_wait_and_one_that_gives_up_disturbs_nobody(processes):
    state = await started(processes)
    impatient = asyncio.create_task(processes.wait_exit("web"))
    patient = [asyncio.create_task(processes.wait_exit("web")) for _ in range(3)]
    await asyncio.sleep(0)
    impatient.cancel()
    os.kill(state.pid, signal.SIGKILL)
    await asyncio.wait_for(asyncio.gather(*patient), 5)
    assert not (await processes.command("web")).alive


async def test_a_command_outlives_the_agent_and_is_found_again(processes, tmp_path):
    first = await started(processes)
    await processes.close()
    async with agent(tmp_path) as next_life:
        assert same(await next_life.command("web"), first)
        waiting = asyncio.create_task(next_life.wait_exit("web"))
        await next_life.start_command(StartCommand("web", FOREVER))
        assert (await next_life.command("web")).pid == first.pid
        await next_life.stop_command(StopCommand("web", grace_s=5))
        await asyncio.wait_for(waiting, 5)
        assert not (await next_life.command("web")).alive


async def test_an_agent_killed_between_start_and_register_finds_it_by_its_token(processes, tmp_path):
    state = await started(processes)
    register = tmp_path / "commands" / "web.json"
    launches = json.loads(register.read_text())
    launches[0] |= {"pid": 0, "start_ticks": 0}
    register.write_text(json.dumps(launches))
    await processes.close()
    async with agent(tmp_path) as next_life:
        found = await next_life.command("web")
        assert (found.pid, found.start_ticks, found.alive) == (state.pid, state.start_ticks, True)


async def test_an_agent_killed_before_it_started_what_it_registered_knows_that_it_is_down(processes, tmp_path):
    await started(processes)
    register = tmp_path / "commands" / "web.json"
    launches = json.loads(register.read_text())
    register.write_text(json.dumps([launches[0], launches[0] | {"pid": 0, "start_ticks": 0, "token": "nobody's"}]))
    async with agent(tmp_path) as next_life:
        state = await next_life.command("web")
        assert state is not None and not state.alive
        await next_life.start_command(StartCommand("web", FOREVER))
        assert (await next_life.command("web")).alive
        await next_life.stop_command(StopCommand("web", grace_s=0))


async def test_a_pid_that_somebody_else_has_by_now_is_left_alone(processes, tmp_path):
    state = await started(processes)
    register = tmp_path / "commands" / "web.json"
    launches = json.loads(register.read_text())
    launches[0]["start_ticks"] -= 1
    await processes.close()
    for _ in range(2):
        register.write_text(json.dumps(launches))
        async with agent(tmp_path) as next_life:
            assert not (await next_life.command("web")).alive
            await next_life.wait_exit("web")
            await next_life.stop_command(StopCommand("web", grace_s=0))
        assert read_stat(state.pid).alive
    launches[0]["start_ticks"] += 1
    register.write_text(json.dumps(launches))


async def test_a_register_of_another_boot_says_nothing(processes, tmp_path):
    state = await started(processes)
    register = tmp_path / "commands" / "web.json"
    good = register.read_text()
    register.write_text(json.dumps([json.loads(good)[0] | {"boot_id": "another"}]))
    async with agent(tmp_path) as next_life:
        assert await next_life.command("web") is None
    register.write_text(good)
    assert read_stat(state.pid).alive


async def test_a_broken_register_is_not_an_answer(processes, tmp_path):
    register = tmp_path / "commands" / "web.json"
    register.parent.mkdir()
    register.write_text("[{")
    with pytest.raises(ProbeError, match=r"web\.json"):
        await processes.command("web")
    register.unlink()


FAMILY = """
trap '' TERM
(trap '' TERM; sleep 600) &
sh -c 'sleep 600 & exec sleep 600' &
echo ready
wait
"""


@pytest.mark.parametrize("grace_s", [0, 0.05])
async def test_stopping_ends_the_whole_session(processes, tmp_path, grace_s):
    state = await started(processes, shell(FAMILY))
    session = Session(state.pid, state.start_ticks, "")
    await until(lambda: "ready" in log_of(tmp_path) and len(members(session)) >= 4)
    await processes.stop_command(StopCommand("web", grace_s=grace_s))
    assert not [stat for stat in members(session) if stat.alive]
    assert not (await processes.command("web")).alive


async def test_a_polite_one_gets_its_time(processes, tmp_path):
    await started(processes, shell("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done"))
    await until(lambda: "ready" in log_of(tmp_path))
    await processes.stop_command(StopCommand("web", grace_s=5))
    assert "bye" in log_of(tmp_path)
    assert (await processes.command("web")).exit_code == 7


@pytest.mark.parametrize("grace_s", [0, 5])
async def test_a_stopped_process_can_be_ended(processes, grace_s):
    state = await started(processes)
    os.kill(state.pid, signal.SIGSTOP)
    await until(lambda: read_stat(state.pid).status == "T")
    await asyncio.wait_for(processes.stop_command(StopCommand("web", grace_s=grace_s)), 4)
    assert read_stat(state.pid) is None


LEFTOVER = "sh -c 'echo $$ ready; exec sleep 600' & exec sleep 600"


async def crashed_with_a_leftover(processes, tmp_path):
    """A command whose leader is killed and whose child goes on; returns the child's pid."""
    state = await started(processes, shell(LEFTOVER))
    await until(lambda: "ready" in log_of(tmp_path))
    os.kill(state.pid, signal.SIGKILL)
    await asyncio.wait_for(processes.wait_exit("web"), 5)
    child = int(log_of(tmp_path).split()[0])
    assert read_stat(child).alive
    return child


async def test_what_a_crash_left_of_the_session_is_ended(processes, tmp_path):
    child = await crashed_with_a_leftover(processes, tmp_path)
    await processes.stop_command(StopCommand("web", grace_s=0))
    assert not alive(child)


async def test_a_leftover_is_not_forgotten_over_a_new_start(processes, tmp_path):
    child = await crashed_with_a_leftover(processes, tmp_path)
    await started(processes)
    await processes.close()
    async with agent(tmp_path) as next_life:
        assert alive(child)
        await next_life.stop_command(StopCommand("web", grace_s=0))
        assert not alive(child)
        assert not (await next_life.command("web")).alive


def alive(pid):
    stat = read_stat(pid)
    return stat is not None and stat.alive


async def test_without_its_leader_only_what_may_be_ours_counts_as_the_session(processes, tmp_path):
    child = await crashed_with_a_leftover(processes, tmp_path)
    launch = json.loads((tmp_path / "commands" / "web.json").read_text())[0]
    session = Session(launch["pid"], launch["start_ticks"], launch["token"])
    assert [stat.pid for stat in members(session)] == [child]
    assert members(session._replace(token="of somebody else")) == []


async def test_no_process_of_ours_carries_an_unknown_token():
    assert leader_with("unknown") is None


async def test_a_large_log_is_put_aside_at_the_next_start(processes, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOG_LIMIT_BYTES", 10)
    for word in ("first" * 3, "second"):
        await started(processes, shell(f"echo {word}"))
        await asyncio.wait_for(processes.wait_exit("web"), 5)
    assert log_of(tmp_path) == "second\n"
    assert (tmp_path / "commands" / "web.log.1").read_text() == "firstfirstfirst\n"


async def test_a_name_cannot_leave_the_folder(processes, tmp_path):
    await started(processes, name="../../up")
    assert {file.name for file in (tmp_path / "commands").iterdir()} == {"..%2F..%2Fup.json", "..%2F..%2Fup.log"}
    await processes.stop_command(StopCommand("../../up", grace_s=0))


async def test_the_holder_of_a_listening_socket_is_found(processes, tmp_path):
    sockets = LocalSockets()
    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = await sockets.listener(Endpoint("127.0.0.1", server.getsockname()[1]))
        assert [state.pid for state in await processes.holders(listener)] == [os.getpid()]
    assert await processes.holders(listener) == []
    sockets.close()


async def test_a_program_that_ends_with_0_is_fine(processes, tmp_path):
    await processes.run_program(RunProgram(("touch", str(tmp_path / "done"))))
    assert (tmp_path / "done").exists()


async def test_arguments_are_never_read_by_a_shell(processes, tmp_path):
    with pytest.raises(OperationError):
        await processes.run_program(RunProgram(("ls", f"; touch {tmp_path}/bad", "$(id)")))
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo out; echo err >&2; exit 3", "ended with exit code 3: out\nerr"),
        ("kill -9 $$", "was killed by SIGKILL"),
    ],
)
async def test_a_failure_says_how_and_what_was_printed(processes, script, said):
    with pytest.raises(OperationError) as caught:
        await processes.run_program(RunProgram(shell(script)))
    assert str(caught.value).endswith(said)


async def test_of_much_output_the_end_is_kept_and_the_program_not_held_up(processes):
    script = "import sys; print('x' * 10_000_000); print('the end'); sys.exit(1)"
    with pytest.raises(OperationError) as caught:
        await processes.run_program(RunProgram((sys.executable, "-c", script)))
    assert str(caught.value).endswith("x\nthe end")
    assert len(str(caught.value)) < 5000


async def test_a_program_that_leaves_somebody_behind_is_over_when_it_ends(processes, tmp_path):
    await asyncio.wait_for(processes.run_program(RunProgram(shell(f"sleep 600 & echo $! >{tmp_path}/pid"))), 5)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


async def test_a_program_over_its_time_is_killed_with_all_it_started(processes, tmp_path):
    script = f"sleep 600 & echo $! >{tmp_path}/pid; echo going; sleep 600"
    with pytest.raises(OperationError, match=r"still running after 0.3 s and was killed: going"):
        await processes.run_program(RunProgram(shell(script), timeout_s=0.3))
    assert not alive(int((tmp_path / "pid").read_text()))


async def test_a_cancelled_program_is_killed(processes, tmp_path):
    file = tmp_path / "pid"
    running = asyncio.create_task(processes.run_program(RunProgram(shell(f"echo $$ >{file}; exec sleep 600"))))
    pid = int(await until(lambda: file.exists() and file.read_text()))
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert read_stat(pid) is None


async def test_a_program_cancelled_while_it_starts_is_killed(processes, tmp_path, monkeypatch):
    pids = []
    spawn = programs.spawn
    monkeypatch.setattr(programs, "spawn", lambda *args, **kwargs: pids.append(spawn(*args, **kwargs)) or pids[0])
    running = asyncio.create_task(processes.run_program(RunProgram(FOREVER)))
    await asyncio.sleep(0)  # it has begun, and its start is under way in a thread
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert read_stat(pids[0]) is None


async def test_no_descriptor_stays_open(processes, tmp_path):
    def count():
        return len(list(Path("/proc/self/fd").iterdir()))

    await processes.run_program(RunProgram(("true",)))
    before = count()
    for _ in range(3):
        await processes.run_program(RunProgram(("true",)))
        await started(processes)
        await processes.stop_command(StopCommand("web", grace_s=0))
    assert count() == before
