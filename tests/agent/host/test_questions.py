"""A question to root is data: it crosses a socket, and so does its answer."""

import importlib
from pathlib import Path
from typing import Any, get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.host.test_operations import built

from guardian_agent.host import questions
from guardian_agent.host.questions import Question, RootQuestion

MEMBERS: tuple[type[Question[Any]], ...] = get_args(RootQuestion) or (RootQuestion,)

any_question = st.one_of(*map(built, MEMBERS))


@given(question=any_question)
def test_what_is_written_down_is_read_again(question: Question[Any]) -> None:
    assert msgspec.json.decode(msgspec.json.encode(question), type=RootQuestion) == question
    assert question.describe()


@given(data=st.data())
def test_an_answer_is_read_again(data: st.DataObject) -> None:
    kind: Any = data.draw(st.sampled_from(MEMBERS)).answer_type
    answer = data.draw(st.from_type(kind))
    assert msgspec.json.decode(msgspec.json.encode(answer), type=kind) == answer


def test_every_question_of_the_folder_is_in_the_union() -> None:
    folder = Path(questions.__file__).parent
    families = [importlib.import_module(f"{questions.__name__}.{path.stem}") for path in folder.glob("[a-z]*.py")]
    assert {one for family in families for one in vars(family).values() if _is_question(one)} == set(MEMBERS)


def _is_question(one: object) -> bool:
    return isinstance(one, type) and issubclass(one, Question) and one is not Question
