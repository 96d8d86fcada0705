import asyncio
from pathlib import Path
from typing import cast

import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.healing.fake_state import FakeState
from tests.agent.healing.scene import WEB
from tests.agent.playbooks.situations import situation

from guardian_agent.healing.executions import Executions, Submit
from guardian_agent.model import Fact, Outcome
from guardian_agent.playbooks.auto_heal.restart_service import RestartService


async def test_where_nothing_can_be_stored_it_ends_all_the_same() -> None:
    state = FakeState()
    state.failing = "the disk is full"
    executions = Executions(FakeHost(), state.submit)
    execution = executions.new(RestartService(), situation(WEB).incident)
    assert (await executions.finish(execution, Outcome.HEALED, "all is good")).outcome == Outcome.HEALED


async def test_one_that_is_left_open_has_a_reason_and_no_end() -> None:
    state = FakeState()
    executions = Executions(FakeHost(), state.submit)
    execution = executions.new(RestartService(), situation(WEB).incident)
    await executions.leave_open(execution, "the hold file is there")
    (stored,) = await state.unfinished_executions()
    assert (stored.reason, stored.finished_at) == ("the hold file is there", None)


async def test_an_execution_ends_also_where_its_evidence_cannot_be_written() -> None:
    state = FakeState()

    def submit(*facts: Fact) -> "asyncio.Future[None]":
        for fact in facts:
            msgspec.json.encode(fact)
        return state.submit(*facts)

    executions = Executions(FakeHost(), cast(Submit, submit))
    execution = executions.new(RestartService(), situation(WEB).incident)
    execution.evidence = {"file": Path("/x")}
    await executions.finish(execution, Outcome.COMPLETED, "a name that is none: \udcff")
    (stored,) = state.executions()
    assert stored.outcome == Outcome.COMPLETED and stored.reason == "a name that is none: \\udcff"
    assert set(stored.evidence) == {"not_recorded"}


async def test_what_cannot_be_stored_at_all_is_no_reason_not_to_end() -> None:
    def submit(*facts: Fact) -> "asyncio.Future[None]":
        raise TypeError("never")

    executions = Executions(FakeHost(), cast(Submit, submit))
    execution = executions.new(RestartService(), situation(WEB).incident)
    assert (await executions.finish(execution, Outcome.HEALED, "all is good")).outcome == Outcome.HEALED
