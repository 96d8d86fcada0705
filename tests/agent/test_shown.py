from typing import Any

import pytest

from guardian_agent import shown
from guardian_agent.diagnosis import Answer


@pytest.mark.parametrize(
    ("health", "lines"),
    [
        (None, []),
        (
            {"over_s": 60.0, "cpu_s": 0.06, "resident_bytes": 41_200_000, "loop_lag_worst_s": 0.003, "looks_late": 0},
            ["agent: 0.1 % of a core, 41 MB, late by at most 3 ms"],
        ),
        (
            {"over_s": 60.0, "cpu_s": 30.0, "resident_bytes": 41_200_000, "loop_lag_worst_s": 2.0, "looks_late": 7},
            ["agent: 50.0 % of a core, 41 MB, late by at most 2000 ms; looks that say nothing for that: 7"],
        ),
    ],
)
def test_status_tells_in_a_line_how_the_agent_itself_fares(health: dict[str, Any] | None, lines: list[str]) -> None:
    assert shown._own_health(health) == lines


def test_what_was_never_good_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    bad = Answer(probe="l4_connect", target="web", layer="transport", ok=False, issue_type="port_closed", finding="no")
    never = Answer(
        probe="l4_connect",
        target="new",
        layer="transport",
        ok=False,
        issue_type="port_closed",
        finding="",
        counts=False,
    )
    shown.show_answers([bad, never])
    _, first, second = capsys.readouterr().out.splitlines()
    assert "FAILING" in first and "never good" in second
