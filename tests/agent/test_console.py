import os

import pytest

from guardian_agent.console import choose, complain, show, show_json, show_table
from guardian_agent.errors import UsageError


@pytest.mark.parametrize(
    ("given", "known", "said"),
    [
        ("wbe", ("web", "db"), "no component 'wbe'; did you mean \"web\"?"),
        ("other", ("web", "db"), "no component 'other'; there are: db, web"),
        ("", (), "no component ''; there are: none"),
    ],
)
def test_what_there_is_not_is_told_with_what_there_is(given: str, known: tuple[str, ...], said: str) -> None:
    assert choose("component", "db", ("web", "db")) == "db"
    with pytest.raises(UsageError) as told:
        choose("component", given, known)
    assert str(told.value) == said


def test_a_table_lines_up_and_has_no_trailing_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("layer", "finding"), [("physical", "no carrier"), ("host", "")])
    assert capsys.readouterr().out == "layer     finding\nphysical  no carrier\nhost\n"


def test_on_a_terminal_the_last_column_is_cut_where_the_line_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((40, 24)))
    show_table(("layer", "finding"), [("host", "x" * 200)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines[1]) == 40 and lines[1].endswith("…")


def test_answers_go_to_stdout_and_complaints_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    show("fine")
    show_json({"a": 1})
    complain("not fine")
    captured = capsys.readouterr()
    assert captured.out == 'fine\n{\n  "a": 1\n}\n' and captured.err == "not fine\n"
