import pytest
from tests.ctl import answers
from tests.ctl.tables.conftest import Printed

from guardian_ctl.tables.incidents import incident_list, one_incident, state
from guardian_ctl.wording import NOTHING


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "auto"),
        ({"resolution": "manual"}, "manual"),
        ({"open": True}, "open for "),
        ({"open": True, "exhausted": True}, ", needs a human"),
        ({"open": True, "held": True}, ", held"),
        ({"open": True, "explained_by": "x"}, ", explained"),
    ],
)
def test_the_state_says_what_an_operator_must_know_first(changes: answers.Json, text: str) -> None:
    assert text in state(answers.incident(**changes)).plain


def test_the_list_has_the_id_to_ask_further_with(printed: Printed) -> None:
    text = printed(incident_list({"incidents": [answers.incident()], "next_cursor": None}))
    assert answers.incident()["id"] in text
    assert "0.50 s" in text


def test_one_incident_tells_its_moments_from_the_first_bad_look_on(printed: Printed) -> None:
    text = printed(one_incident(answers.incident()))
    for line in (
        "-1.000 s",
        "+0.010 s",
        "+0.500 s",
        "0.50 s (at most 1.50 s",
        f"exit_code {NOTHING}",
        "1. start web: applied",
    ):
        assert line in text


def test_a_failed_step_shows_its_error(printed: Printed) -> None:
    step = {"index": 0, "describe": "start web", "undo": None, "state": "failed", "error": "no such file"}
    run = answers.execution(outcome="rolled_back", steps=[step])
    text = printed(one_incident(answers.incident(executions=[run])))
    assert "restart_component: rolled_back" in text
    assert "no such file" in text


def test_an_incident_that_nobody_acted_on_says_so(printed: Printed) -> None:
    text = printed(one_incident(answers.incident(executions=[], counted=False, verified_at=None, symptoms=[])))
    assert "nothing was done about it" in text
    assert "in no statistic" in text
    assert "first good look" not in text
