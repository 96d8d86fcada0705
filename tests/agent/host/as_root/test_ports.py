"""Real processes and sockets, in a network namespace of the test's own."""

import asyncio
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.agent.host.as_root.own_network import in_own_network
from tests.agent.host.holding import holding

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host import port_holders, port_table
from guardian_agent.host.as_root import ports
from guardian_agent.host.operations import (
    DestroySockets,
    KillProcess,
    StartForeignUnit,
    StartUnit,
    StopForeignUnit,
    StopUnit,
)
from guardian_agent.host.port_holders import use_of
from guardian_agent.host.sessions import read_stat

own_network = in_own_network


def kill(process: "subprocess.Popen[bytes]", *, port: int = 8000, grace_s: float = 5.0, later: int = 0) -> None:
    stat = read_stat(process.pid)
    assert stat is not None
    asyncio.run(ports.kill(KillProcess(process.pid, stat.start_ticks + later, port, grace_s)))


@pytest.mark.usefixtures("own_network")
def test_a_connection_that_waits_for_accept_is_not_left_over() -> None:
    with socket.create_server(("127.0.0.1", 8000)), socket.create_connection(("127.0.0.1", 8000), 1.0):
        use = use_of(8000)
        assert use.connections == 1 and use.left_over == 0 and use.ownerless == ()
        asyncio.run(ports.destroy_sockets(DestroySockets(8000)))
        assert use_of(8000) == use


@pytest.mark.usefixtures("own_network")
def test_what_is_left_over_is_destroyed_and_nothing_else() -> None:
    with socket.create_server(("127.0.0.1", 8000)) as server:
        client = socket.create_connection(("127.0.0.1", 8000), 1.0)
        taken, _ = server.accept()
        kept = socket.create_connection(("127.0.0.1", 8000), 1.0)
        still, _ = server.accept()
        taken.close()
        client.close()
        assert use_of(8000).left_over == 1
        for _ in range(2):
            asyncio.run(ports.destroy_sockets(DestroySockets(8000)))
        assert use_of(8000).left_over == 0
        still.sendall(b"here")
        assert kept.recv(9) == b"here"
        kept.close()
        still.close()


@pytest.mark.usefixtures("own_network")
@pytest.mark.parametrize(("manner", "grace_s", "by"), [("polite", 5.0, signal.SIGTERM), ("deaf", 0.2, signal.SIGKILL)])
def test_a_process_is_asked_and_then_killed(manner: str, grace_s: float, by: signal.Signals) -> None:
    with holding(manner) as process:
        kill(process, grace_s=grace_s)
        assert process.wait(1.0) == -by


@pytest.mark.usefixtures("own_network")
def test_a_stopped_process_ends_politely() -> None:
    with holding() as process:
        process.send_signal(signal.SIGSTOP)
        kill(process)
        assert process.wait(1.0) == -signal.SIGTERM


@pytest.mark.usefixtures("own_network")
def test_nobody_else_is_ended() -> None:
    with holding("lets-go") as process:
        kill(process, later=1)  # a later process with the same pid
        kill(process, port=8001)  # it holds another port
        process.send_signal(signal.SIGHUP)
        assert process.stdout is not None
        process.stdout.readline()
        kill(process)  # it has let go
        assert process.poll() is None
    asyncio.run(ports.kill(KillProcess(2**22 + 1, 1, 8000)))  # gone
    for pid in (1, 0, -1):
        with pytest.raises(RefusedOperationError, match="never ended"):
            asyncio.run(ports.kill(KillProcess(pid, 0, 8000)))


@pytest.mark.usefixtures("own_network")
def test_a_kernel_that_refuses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(port: int) -> list[port_table.PortSocket]:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(port_table, "of_port", refuse)
    with pytest.raises(OperationError, match="not supported"):
        asyncio.run(ports.destroy_sockets(DestroySockets(8000)))


class Manager:
    """systemd, which only remembers."""

    def __init__(self) -> None:
        self.done: list[object] = []

    async def start(self, operation: StartUnit) -> None:
        self.done.append(operation)

    async def stop(self, operation: StopUnit) -> None:
        self.done.append(operation)


def test_only_what_was_stopped_is_started_again_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_holders, "STOPPED", tmp_path / "new" / "stopped")
    manager: Any = Manager()
    start = StartForeignUnit("other.service")
    for operation in (start, StopForeignUnit("other.service"), start, start):
        asyncio.run(ports.change(manager, operation))
    assert [type(one) for one in manager.done] == [StopUnit, StartUnit]


@pytest.mark.parametrize("unit", ["../x.service", "a/b.service", "", "x.target", "x@.service", "x.service\n"])
def test_what_is_no_service_is_refused(unit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_holders, "STOPPED", tmp_path)
    manager: Any = Manager()
    asyncio.run(ports.change(manager, StartForeignUnit(unit)))
    with pytest.raises(RefusedOperationError):
        asyncio.run(ports.change(manager, StopForeignUnit(unit)))
    assert manager.done == [] and list(tmp_path.iterdir()) == []
