"""What an agent has armed and does not answer for any more, although it lives."""

import asyncio
import os
from pathlib import Path

import pytest
from tests.agent.executor.fakes import MTU, MTU_BEFORE, Stage

from guardian_agent.host import executor_client
from guardian_agent.host.executor_client import ExecutorClient
from guardian_agent.host.local import LocalHost


async def test_what_the_agent_lets_go_is_taken_back_while_it_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_client, "ARMED_S", 0.1)
    stage = Stage(tmp_path)
    client = ExecutorClient(stage.path, owner=os.getuid())
    async with stage.running(armed_s=0.3), LocalHost(tmp_path, root=client) as host:
        await host.do(MTU, MTU_BEFORE)
        await asyncio.sleep(0.5)
        assert stage.root.done == [MTU]
        taken_back = asyncio.Event()
        stage.root.then = lambda _: taken_back.set()
        await host.let_go()
        await host.let_go()  # once more is fine
        await asyncio.wait_for(taken_back.wait(), 10.0)
        assert stage.root.done == [MTU, MTU_BEFORE]
