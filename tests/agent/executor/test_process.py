"""The executor as a process that is handed its socket, as systemd does."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.agent.executor.fakes import CONFIG

from guardian_agent import cli
from guardian_agent.executor.process import NoSocketError, inherited_socket
from guardian_agent.host.executor_client import ExecutorClient

STARTER = """
import os, sys
from pathlib import Path
from guardian_agent.executor import audit, process
from guardian_agent.executor.afterwards import Afterwards
from guardian_agent.executor.audit import Audit
folder = Path(sys.argv[1])
if sys.argv[3] != "3":
    os.dup2(int(sys.argv[3]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "executor"}
process.Audit = lambda: Audit(folder / "log" / "executor.jsonl")
process.Afterwards = lambda: Afterwards(folder / "armed.json")
from guardian_agent.cli import main
main(["executor", "--config", str(folder / "agent.toml"), "--idle", sys.argv[2]])
"""


def start(folder: Path, listener: socket.socket, idle_s: float) -> subprocess.Popen[bytes]:
    folder.chmod(0o755)
    (folder / "agent.toml").write_text(CONFIG.format(folder=folder).replace('"heal"', '"observe"'))
    (folder / "agent.toml").chmod(0o644)
    argv = [sys.executable, "-c", STARTER, str(folder), str(idle_s), str(listener.fileno())]
    return subprocess.Popen(argv, pass_fds=(listener.fileno(),))


@pytest.fixture
def listener(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(os.fspath(tmp_path / "executor.sock"))
        listener.listen()
        yield listener


@pytest.mark.skipif(os.geteuid() != 0, reason="the executor is root")
async def test_it_answers_what_was_asked_before_it_was_there_and_ends_when_idle(tmp_path, listener):
    asking = asyncio.create_task(ExecutorClient(tmp_path / "executor.sock").greeting())
    await asyncio.sleep(0.05)
    process = start(tmp_path, listener, 0.3)
    try:
        greeting = await asking
        assert greeting.refusal == "the mode is observe"
        assert await asyncio.to_thread(process.wait, 5.0) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="the executor is root")
async def test_sigterm_ends_it(tmp_path, listener):
    process = start(tmp_path, listener, 60)
    try:
        await ExecutorClient(tmp_path / "executor.sock").greeting()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 5.0) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2"},
        {"LISTEN_PID": str(os.getpid())},
    ],
)
def test_without_a_socket_of_its_own_it_does_not_run(environment):
    with pytest.raises(NoSocketError, match=r"systemctl start guardian-executor\.socket"):
        inherited_socket(environment)
    assert environment == {}


def test_it_loads_no_more_than_it_needs_to_start():
    """It is started when somebody waits for it: what only some operations need is loaded by them."""
    program = "import sys, guardian_agent.cli, guardian_agent.executor.process; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"grpc", "google", "apsw", "dbus_fast", "pyroute2", "cryptography", "numpy"}
    assert not heavy & set(loaded)


def test_it_runs_as_root_only(monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit) as ended:
        cli.main(["executor"])
    assert ended.value.code == 1
    assert "this is not root" in capsys.readouterr().err
