from collections.abc import Coroutine
from typing import Any

import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.test_ladders import incident

from guardian_agent.healing.pager import Pager
from guardian_agent.host.operations import RunProgram
from guardian_agent.model import Fact, Page

COMMAND = ("/usr/local/bin/page", "--now")


class Desk:
    """A pager, and all that came of it."""

    def __init__(self, command: tuple[str, ...] | None = COMMAND) -> None:
        self.host = FakeHost()
        self.records: list[Fact] = []
        self.runs: list[Coroutine[Any, Any, object]] = []
        self.pager = Pager(self.host, command, self.records.append, lambda _, run: self.runs.append(run))


async def test_each_reason_pages_once_for_an_incident() -> None:
    desk = Desk(command=None)
    for reason in ("stuck", "denied", "stuck"):
        desk.pager.page(incident(), reason, "text")
    pages = [record for record in desk.records if isinstance(record, Page)]
    assert [page.reason for page in pages] == ["stuck", "denied"] and desk.runs == []
    assert len({page.page_id for page in pages}) == 2
    desk.pager.forget(incident())
    desk.pager.page(incident(), "stuck", "again")
    assert len(desk.records) == 3


async def test_the_operators_command_hears_all_of_it_in_its_environment() -> None:
    desk = Desk()
    desk.pager.page(incident(), "stuck", "two words")
    for run in desk.runs:
        await run
    (operation,) = desk.host.done
    assert isinstance(operation, RunProgram) and operation.argv == COMMAND
    assert (
        operation.environment.items()
        >= {
            "GUARDIAN_INCIDENT": "i1",
            "GUARDIAN_TARGET": "web",
            "GUARDIAN_REASON": "stuck",
            "GUARDIAN_TEXT": "two words",
        }.items()
    )


async def test_a_command_that_fails_is_logged_and_the_page_is_recorded_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()
    desk.host.script(RunProgram, "fails")
    desk.pager.page(incident(), "stuck", "text")
    assert len(desk.records) == 1
    for run in desk.runs:
        await run
    assert "page_command failed" in caplog.text


async def test_a_text_with_what_no_environment_can_hold_is_still_told() -> None:
    desk = Desk()
    desk.pager.page(incident(), "stuck", "before\0after")
    for run in desk.runs:
        await run
    (operation,) = desk.host.done
    assert isinstance(operation, RunProgram) and operation.environment["GUARDIAN_TEXT"] == "before\ufffdafter"
