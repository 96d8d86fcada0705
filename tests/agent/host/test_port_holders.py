"""Real processes and sockets, in a network namespace of the test's own."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.agent.host.as_root.own_network import in_own_network
from tests.agent.host.holding import holding

from guardian_agent.host import port_holders as ports
from guardian_agent.host.questions import PortHolder, PortUse

own_network = in_own_network


def holder(use: PortUse) -> PortHolder:
    (found,) = use.holders
    return found


@pytest.mark.usefixtures("own_network")
def test_it_tells_who_holds_a_port_and_no_secret_of_theirs() -> None:
    with holding() as process:
        found = holder(ports.use_of(8000))
        assert (found.pid, found.uid, found.addresses) == (process.pid, os.getuid(), ("127.0.0.1",))
        assert found.program == str(Path(sys.executable).resolve()) and found.name
        assert found.arguments[-4:] == ("--token=…", "--password", "…", "postgres://…@db/")
        assert "hush" not in "".join(found.arguments)
    assert ports.use_of(8000) == PortUse()


@pytest.mark.usefixtures("own_network")
def test_a_program_with_an_undecodable_name_is_told_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "readlink", _undecodable_program(os.readlink))
    with socket.create_server(("127.0.0.1", 8000)):
        use = ports.use_of(8000)
    assert holder(use).program == "/tmp/\\xff" and msgspec.json.encode(use)


def _undecodable_program(real: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda path: os.fsdecode(b"/tmp/\xff") if str(path).endswith("/exe") else real(path)


@pytest.mark.usefixtures("own_network")
def test_all_who_share_a_socket_hold_it() -> None:
    server = socket.create_server(("127.0.0.1", 8000))
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    try:
        with server:
            assert {one.pid for one in ports.use_of(8000).holders} == {os.getpid(), child}
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
