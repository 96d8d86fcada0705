"""What is said of ladders, what is wrong with it, and what is perhaps not meant."""

from collections.abc import Callable
from pathlib import Path

import pytest

from guardian_agent.rungs import ladders, never_tried, notices
from guardian_toml import Document, TomlProblems

HEALS = {
    "restart_service": ("http_error", "service_failed"),
    "resource_cleanup": ("disk_full",),
    "run_diagnostics": (),
    "skip_job": ("queue_stuck",),
}
DECLARED = ("skip_job",)
DEFAULT = {"disk_full": ("resource_cleanup", "restart_service")}
ISSUES = ("http_error", "service_failed", "disk_full", "queue_stuck")
Said = Callable[[str], list[str]]


@pytest.fixture
def said(tmp_path: Path) -> Said:
    """What is wrong with a table of ladders, or else the notices about it, from its second line on."""

    def said(text: str) -> list[str]:
        path = tmp_path / "agent.toml"
        path.write_text(f"[ladders]\n{text}\n")
        document = Document([path])
        found = ladders(document, {*HEALS, "half_said"}, ISSUES, HEALS)
        try:
            document.finish()
            lines = list(notices(document, found, HEALS, declared=DECLARED, default=DEFAULT))
        except TomlProblems as error:
            lines = error.problems
        return [line.removeprefix(f"{path}:") for line in lines]

    return said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("http_eror = []", '2: ladders: no probe reports "http_eror"; did you mean "http_error"?'),
        (
            "disk_full = ['resource_cleaner']",
            '2: ladders.disk_full: item 1: no playbook "resource_cleaner"; did you mean "resource_cleanup"?',
        ),
        (
            "http_error = ['restart_service',\n'restart_service']",
            "3: ladders.http_error: item 2: restart_service is item 1 already, and a rung is tried once",
        ),
        (
            "http_error = ['run_diagnostics']",
            "2: ladders.http_error: item 1: run_diagnostics only observes, beside every ladder; remove it here",
        ),
        (
            "http_error = []",
            "2: ladders.http_error: is empty: nothing is tried for http_error, and a human is called at once",
        ),
        (
            "http_error = ['restart_service', 'resource_cleanup']",
            "2: ladders.http_error: item 2: resource_cleanup does not heal http_error; it heals disk_full",
        ),
        (
            "http_error = ['skip_job']",
            "2: ladders.http_error: item 1: skip_job does not heal http_error; it heals queue_stuck",
        ),
    ],
)
def test_what_is_wrong_with_a_ladder_or_not_meant_is_one_clear_line(said: Said, text: str, line: str) -> None:
    assert said(text) == [line]


@pytest.mark.parametrize(
    "text",
    [
        "http_error = ['restart_service']\ndisk_full = ['restart_service']",  # as by default
        "queue_stuck = ['skip_job', 'restart_service']",  # as the page about playbooks says
        "http_error = ['half_said']",  # with what is wrong with it told elsewhere
    ],
)
def test_a_ladder_that_may_help_is_fine(said: Said, text: str) -> None:
    assert said(text) == []


PLAYBOOKS = "[playbooks.skip_job]\nheals = ['queue_stuck',\n'disk_full']\n"
OTHERS = HEALS | {"skip_job": ("queue_stuck", "disk_full"), "restart_worker": ("queue_stuck",)}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "",
            [
                "3: playbooks.skip_job.heals: item 2: is never tried for disk_full, whose ladder has it not; "
                '[ladders] disk_full = ["resource_cleanup", "restart_service", "skip_job"] would'
            ],
        ),
        ("[ladders]\ndisk_full = ['skip_job']", []),
        (
            "[ladders]\ndisk_full = ['skip_job']\nqueue_stuck = ['skip_job']",
            ["1: playbooks.restart_worker: is never tried: no ladder has it, of queue_stuck; name it under [ladders]"],
        ),
        ("[ladders]\ndisk_full = ['skip_job', 'restart_worker']\nqueue_stuck = ['skip_job']", []),
    ],
)
def test_a_playbook_that_no_ladder_has_is_told(tmp_path: Path, text: str, lines: list[str]) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(PLAYBOOKS + text)
    document = Document([path])
    found = ladders(document, OTHERS, ISSUES, OTHERS)
    document.finish()
    told = never_tried(document, found, OTHERS, declared=DECLARED, default=DEFAULT)
    assert [line.removeprefix(f"{path}:") for line in told] == lines
