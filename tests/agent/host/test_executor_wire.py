"""What goes over the executor's socket is data, as everything that crosses a boundary."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.host.test_operations import any_operation
from tests.agent.host.test_questions import any_question

from guardian_agent.host.executor_wire import DO_LIMIT_S, MOST_S, Answer, Ask, Do, Request, limit_s
from guardian_agent.host.operations import SetUnitLimit, StopForeignUnit

root_operation = any_operation.filter(lambda operation: operation.needs_root)


@given(operation=root_operation, undo=st.none() | root_operation, token=st.text())
def test_a_request_is_read_again(operation: Any, undo: Any, token: str) -> None:
    request = Do(operation, undo, token)
    assert msgspec.json.decode(msgspec.json.encode(request), type=Request) == request


@given(question=any_question)
def test_a_question_is_read_again(question: Any) -> None:
    assert msgspec.json.decode(msgspec.json.encode(Ask(question)), type=Request) == Ask(question)


def test_an_operation_of_the_agents_own_is_no_request() -> None:
    for text in (b'{"type":"Do","operation":{"type":"RunProgram","argv":["/bin/sh"]}}', b'{"type":"Run"}', b"[]"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(text, type=Request)


def test_every_answer_has_a_name_of_its_own() -> None:
    names = [member.__struct_config__.tag for member in get_args(Answer)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("timeout_s", "limit"), [(5.0, 15.0), (-1.0, 10.0), (1e9, MOST_S + 10.0)])
def test_an_operation_has_its_own_time_and_no_more_than_an_hour(timeout_s: float, limit: float) -> None:
    assert limit_s(StopForeignUnit("x.service", timeout_s)) == limit
    assert limit_s(SetUnitLimit("x.service", "CPUWeight", 10)) == DO_LIMIT_S
