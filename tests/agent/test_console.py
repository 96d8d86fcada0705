import os

import pytest

from guardian_agent.console import complain, show, show_json, show_table


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
