"""What is written down, when the disk does not answer, and for whom it is made to be read."""

import asyncio
import logging
import os
import threading

import pytest
from tests.agent.executor.fakes import ALLOWED, DOWN, MTU, UP, Stage

from guardian_agent.errors import (
    RefusedOperationError,
)
from guardian_agent.executor import operating, record
from guardian_agent.host.executor_client import ExecutorClient
from guardian_agent.host.operations import (
    RemoveText,
    WriteSysctl,
    WriteText,
)

HOSTS = WriteText("/etc/hosts", b"6.6.6.6 example.org\n")


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


@pytest.fixture
def client(stage):
    return ExecutorClient(stage.path, owner=os.getuid())


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
            waiting = asyncio.create_task(client.do(MTU))
            await stage.done(2)
            assert stage.root.done == [DOWN, UP]
            with pytest.raises(RefusedOperationError):
                await waiting
            hang.set()
    finally:
        hang.set()
    outcomes = {}
    for line in stage.lines():
        outcomes.setdefault(line["id"], []).append(line["outcome"])
    assert sorted(outcomes.values()) == [["begun", "done"]] * 2 + [["begun", "refused"]] * 2


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
