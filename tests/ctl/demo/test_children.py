import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.bed.waiting import until

from guardian_ctl.demo import children
from guardian_ctl.demo.children import Child, end_launched, environment, launches, running_pid, tail
from guardian_ctl.errors import CtlError, NotInstalledError


def script(folder: Path, text: str) -> Path:
    path = folder / "guardian-fake"
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def path_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


async def test_a_dead_child_is_told_with_the_end_of_its_log(path_only: Path) -> None:
    script(path_only, "import sys; print('no such key', file=sys.stderr); sys.exit(78)")
    child = await Child.start("guardian-fake", path_only)
    await child._process.wait()
    with pytest.raises(CtlError) as caught:
        child.check()
    assert str(caught.value) == "guardian-fake ended with exit code 78; the end of guardian-fake.log:\n  no such key"


def reading(log: Path) -> Callable[[], Awaitable[str]]:
    async def read() -> str:
        return await asyncio.to_thread(log.read_text)

    return read


async def test_a_child_that_ignores_sigterm_is_killed(path_only: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "STOP_WITHIN_S", 0.2)
    script(
        path_only,
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
    )
    child = await Child.start("guardian-fake", path_only)
    await until(reading(child.log), "the stand-in is up", within_s=10)
    await child.stop()
    with pytest.raises(CtlError, match="was killed by SIGKILL"):
        child.check()


async def test_what_is_not_installed_is_told_with_78(path_only: Path) -> None:
    with pytest.raises(NotInstalledError, match="the demo needs guardian-fake: pip install") as caught:
        await Child.start("guardian-fake", path_only)
    assert caught.value.exit_code == 78


def test_a_child_does_not_take_itself_for_the_installed_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INVOCATION_ID", "NOTIFY_SOCKET", "HTTP_PROXY", "http_proxy", "GUARDIAN_KEPT"):
        monkeypatch.setenv(name, "x")
    assert {name for name, value in environment().items() if value == "x"} == {"GUARDIAN_KEPT"}


def test_a_log_that_is_not_there_says_so(tmp_path: Path) -> None:
    assert tail(tmp_path / "none.log") == "; it has logged nothing"


@pytest.mark.parametrize("text", ["", "{", "{}", "[]"])
def test_a_register_that_cannot_be_read_yet_names_no_process(tmp_path: Path, text: str) -> None:
    register = tmp_path / "web.json"
    assert launches(register) == []
    register.write_text(text)
    assert running_pid(register) is None


def test_a_pid_that_belongs_to_somebody_else_by_now_is_not_taken(tmp_path: Path) -> None:
    register = tmp_path / "web.json"
    register.write_text(json.dumps([{"pid": os.getpid(), "start_ticks": 1, "token": "x"}]))
    assert running_pid(register) is None


async def test_what_carries_a_launch_s_token_is_ended_even_without_its_pid_and_nothing_else(tmp_path: Path) -> None:
    register = tmp_path / "web.json"
    register.write_text(json.dumps([{"pid": 0, "start_ticks": 0, "token": f"token-of-{tmp_path}"}]))
    sleeper = (sys.executable, "-c", "import time; time.sleep(60)")
    started = [
        await asyncio.create_subprocess_exec(*sleeper, env={"GUARDIAN_SESSION": token})
        for token in (f"token-of-{tmp_path}", f"token-of-{tmp_path}-another")
    ]
    await asyncio.sleep(0.1)  # until both have become what they are
    await end_launched(register)
    ours, other = started
    assert await asyncio.wait_for(ours.wait(), 5) == -9
    assert other.returncode is None
    other.kill()
    await other.wait()
