from datetime import UTC, datetime

import pytest
from tests.ctl import answers

from guardian_ctl.demo.episode import Episode, attempts
from guardian_ctl.demo.faults import FAULTS
from guardian_ctl.demo.watching import Outage

BROKEN_AT = datetime(2026, 11, 22, 2, 59, 0, 990_000, tzinfo=UTC).timestamp()


def episode(incident: answers.Json | None, end: float | None = BROKEN_AT + 0.7) -> Episode:
    return Episode(FAULTS[0], broken_at=BROKEN_AT, pid=7, incident=incident, outage=Outage(BROKEN_AT + 0.005, end))


@pytest.mark.parametrize(
    ("incident", "state"),
    [
        (None, "broken; not seen yet"),
        (answers.incident(open=True, executions=[]), "seen"),
        (answers.incident(open=True, executions=[answers.execution(outcome=None)]), "restart_component is at work"),
        (answers.incident(), "healed"),
        (answers.incident(resolution="spontaneous", executions=[]), "over: spontaneous"),
    ],
)
def test_the_state_says_what_is_being_done(incident: answers.Json | None, state: str) -> None:
    assert episode(incident).state() == state


def test_it_is_over_when_the_incident_is_closed_and_the_client_is_answered() -> None:
    assert episode(answers.incident()).over
    assert not episode(answers.incident(), end=None).over
    assert not episode(answers.incident(open=True)).over


@pytest.mark.parametrize(
    "incident",
    [
        answers.incident(resolution="manual"),
        answers.incident(executions=[answers.execution(outcome="ineffective")]),
        answers.incident(executions=[answers.diagnosis()]),
        answers.incident(open=True),
    ],
)
def test_healed_is_only_what_guardian_ended_itself(incident: answers.Json) -> None:
    assert episode(answers.incident()).healed
    assert not episode(incident).healed


def test_the_timeline_is_in_order_whoever_tells_it() -> None:
    timeline = episode(answers.incident(executions=[answers.diagnosis(), answers.execution()])).timeline()
    assert [event.at for event in timeline] == sorted(event.at for event in timeline)
    assert [event.who for event in timeline[:3]] == ["demo", "client", "agent"]
    texts = [event.text for event in timeline]
    assert texts[0] == "SIGKILL to process 7: its process is gone"
    assert texts.index("restart_component begins") < texts.index("  start web")
    assert "restart_component: healed, host_process is good again" in texts


def test_a_diagnosis_is_no_attempt_to_heal() -> None:
    run = answers.execution()
    assert attempts(answers.incident(executions=[answers.diagnosis(), run])) == [run]
