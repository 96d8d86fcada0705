"""The daemon as a whole, on this machine, with a command for a component."""

import asyncio
import contextlib
import functools
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.agent.executor.fakes import Stage

from guardian_agent import daemon
from guardian_agent.config import AgentConfig
from guardian_agent.daemon import Daemon
from guardian_agent.errors import StateEndedError, StateError
from guardian_agent.host.executor_client import ExecutorClient
from guardian_agent.host.local import LocalHost
from guardian_agent.host.operations import StopCommand
from guardian_agent.model import Component, Mode
from guardian_agent.runtime.local_socket import LocalSocketError, ask
from guardian_agent.runtime.sd_notify import Notifier
from guardian_agent.runtime.self_health import SelfMeasurement
from guardian_agent.runtime.signals import Signals
from guardian_agent.state import database

SLEEPER = Component(name="sleeper", command=(sys.executable, "-c", "import time; time.sleep(600)"), stop_grace_s=1.0)


def config(folder: Path) -> AgentConfig:
    return AgentConfig(
        agent_id="h1",
        state_dir=folder,
        socket=folder / "agent.sock",
        hold_file=folder / "hold",
        mode=Mode.HEAL,
        labels={},
        protected=(),
        actions_per_hour=6,
        host_probes=False,
        page_command=None,
        aggregator=None,
        components=(SLEEPER,),
        probes={},
        playbooks={},
        ladders={},
    )


async def status(folder: Path) -> dict[str, Any]:
    answer: dict[str, Any] = await asyncio.to_thread(ask, folder / "agent.sock", {"command": "status"})
    return answer


async def until(folder: Path, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Waits for a condition of the agent's status, twenty seconds at most, and returns that status."""
    async with asyncio.timeout(20.0):
        while True:
            with contextlib.suppress(LocalSocketError):
                if holds(answer := await status(folder)):
                    return answer
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running(
    folder: Path, read_again: Callable[[], bool] = lambda: False, notifier: Notifier | None = None, **settings: Any
) -> AsyncIterator["asyncio.Task[bool]"]:
    """A daemon that runs; its command is ended afterwards, which it would otherwise outlive."""
    signals = Signals(read_again)
    signals.install()
    settled = msgspec.structs.replace(config(folder), **settings)
    daemon = asyncio.create_task(Daemon(settled, notifier or Notifier()).run(signals))
    try:
        await until(folder, lambda answer: all(probe["state"] == "ok" for probe in answer["probes"]))
        yield daemon
    finally:
        if not daemon.done():
            os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(20.0):
            await asyncio.wait({daemon})
        async with LocalHost(folder) as host:
            await host.do(StopCommand("sleeper", grace_s=0.0))


async def pid(folder: Path) -> int:
    async with LocalHost(folder) as host:
        process = await host.processes.command("sleeper")
        assert process is not None
        return process.pid


async def test_a_killed_command_runs_again(tmp_path: Path) -> None:
    async with running(tmp_path):
        killed = await pid(tmp_path)
        os.kill(killed, signal.SIGKILL)
        answer = await until(tmp_path, lambda answer: bool(answer["playbooks"]) and not answer["incidents"])
        assert answer["playbooks"]["restart_component"]["successes"] == 1
        assert await pid(tmp_path) != killed


async def test_the_status_says_how_the_executor_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(tmp_path)
    monkeypatch.setattr(daemon, "executor_at", lambda path: ExecutorClient(path, owner=os.getuid()))
    async with running(tmp_path, executor_socket=stage.path):
        assert "cannot be reached" in (await status(tmp_path))["executor"]
        async with stage.running():
            assert (await status(tmp_path))["executor"] == "ready"
            (tmp_path / "hold").touch()
            assert "refuses every change: the hold file" in (await status(tmp_path))["executor"]


async def test_sigterm_ends_it_and_leaves_the_command_running(tmp_path: Path) -> None:
    async with running(tmp_path) as daemon:
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(10.0):
            assert await daemon is False
        os.kill(await pid(tmp_path), 0)


async def test_sighup_with_a_good_configuration_ends_it_for_a_reload(tmp_path: Path) -> None:
    async with running(tmp_path, read_again=lambda: True) as daemon:
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(10.0):
            assert await daemon is True


async def test_sighup_with_a_bad_configuration_changes_nothing(tmp_path: Path) -> None:
    asked = asyncio.Event()

    def refused() -> bool:
        asked.set()
        return False

    async with running(tmp_path, read_again=refused) as daemon:
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(10.0):
            await asked.wait()
        assert (await status(tmp_path))["agent"] == "h1"
        assert not daemon.done()


async def test_a_state_folder_that_cannot_be_used_ends_it_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="file"):
        await Daemon(config(tmp_path / "file"), Notifier()).run(Signals(lambda: False))


class Beats(Notifier):
    """Counts its signs of life."""

    count = 0

    def alive(self) -> None:
        self.count += 1


async def test_while_a_stop_drains_the_watchdog_hears_that_it_lives(tmp_path: Path) -> None:
    notifier = Beats(watchdog_s=0.15)
    page = (sys.executable, "-c", "import time; time.sleep(2)")
    async with running(tmp_path, notifier=notifier, page_command=page) as daemon:
        os.kill(await pid(tmp_path), signal.SIGKILL)
        (tmp_path / "hold").touch()  # nothing may be done, and so a human is called
        await until(tmp_path, lambda answer: bool(answer["incidents"]))
        await asyncio.sleep(0.3)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.2)
        before = notifier.count
        await asyncio.sleep(1.0)
        assert not daemon.done() and notifier.count > before + 5


async def test_a_page_command_is_waited_for_at_a_stop(tmp_path: Path) -> None:
    said = tmp_path / "said"
    page = ("/bin/sh", "-c", f"sleep 1; echo $GUARDIAN_REASON > {said}")
    async with running(tmp_path, page_command=page):
        os.kill(await pid(tmp_path), signal.SIGKILL)
        (tmp_path / "hold").touch()
        await until(tmp_path, lambda answer: bool(answer["incidents"]))
        await asyncio.sleep(0.3)
    assert said.read_text() == "denied\n"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_when_nothing_more_can_be_stored_it_ends_with_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise LookupError("a bug in the writer")

    async with running(tmp_path) as daemon:
        monkeypatch.setattr(database, "_transaction", breaks)
        with contextlib.suppress(LocalSocketError):
            await status(tmp_path)
        async with asyncio.timeout(10.0):
            with pytest.raises(StateEndedError, match="the writer thread has ended"):
                await daemon


async def test_it_measures_itself_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "SelfMeasurement", functools.partial(SelfMeasurement, every_s=0.2))
    async with running(tmp_path):
        answer = await until(tmp_path, lambda answer: answer["self_health"] is not None)
        before = answer["uplink"]["unacknowledged"]
        health = answer["self_health"]
        assert health["over_s"] == pytest.approx(0.2, abs=0.15)
        assert 0.0 < health["cpu_s"] < health["over_s"] and 10e6 < health["resident_bytes"] < 1e9
        await until(tmp_path, lambda answer: answer["uplink"]["unacknowledged"] > before)
