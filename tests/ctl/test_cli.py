import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.ctl import answers
from tests.ctl.conftest import FakeApi

from guardian_ctl import __version__, cli
from guardian_ctl.demo.children import console_script


def run(api: FakeApi, *arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main([*arguments, "--url", api.url])
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize(
    ("command", "path", "answer", "shown"),
    [
        ("stats", "stats", answers.stats(), "1 of 1 connected"),
        ("mttr", "mttr/by-issue-type", {"issue_types": []}, "no incidents"),
        ("mttr --by playbook", "mttr/by-playbook", {"playbooks": []}, "no incidents"),
        ("hosts", "hosts", {"hosts": [answers.host()]}, "site=ams"),
        ("incidents", "incidents", {"incidents": [answers.incident()]}, "process_crashed"),
        ("incidents some-id", "incidents/some-id", answers.incident(), "process_crashed of web on web-1"),
        ("playbooks", "playbooks", {"playbooks": [answers.playbook()]}, "66.7 %"),
    ],
)
def test_a_command_shows_its_endpoint_and_its_json_as_it_is(
    api: FakeApi, capsys: pytest.CaptureFixture[str], command: str, path: str, answer: answers.Json, shown: str
) -> None:
    whole = {"window": answers.WINDOW, "target_seconds": 120.0, "next_cursor": None} | answer
    api.at(f"/api/guardian/{path}", whole)
    assert run(api, *command.split()) == 0
    table = capsys.readouterr().out
    assert shown in table
    assert "\x1b" not in table
    assert run(api, *command.split(), "--json") == 0
    assert capsys.readouterr().out == json.dumps(whole) + "\n"


def test_filters_are_passed_on_as_the_api_spells_them(api: FakeApi) -> None:
    api.at("/api/guardian/incidents", {"incidents": [], "next_cursor": None})
    options = "--from 2026-11-01T00:00:00Z --to 2026-11-02T00:00:00Z --host a --label k=v=w --label l=m --open"
    options += " --target t --issue-type i --playbook p --layer 7 --limit 5 --cursor c"
    assert run(api, "incidents", *options.split()) == 0
    (_, asked), *_ = api.asked
    assert dict(asked) == {
        "from": "2026-11-01T00:00:00Z",
        "to": "2026-11-02T00:00:00Z",
        "host": "a",
        "open": "true",
        "target": "t",
        "issue_type": "i",
        "playbook": "p",
        "layer": "7",
        "limit": "5",
        "cursor": "c",
        "label.k": "v=w",
        "label.l": "m",
    }


@pytest.mark.parametrize(("option", "asked"), [("--open", ["true"]), ("--closed", ["false"]), ("", [])])
def test_open_and_closed_ones_are_asked_for_as_the_api_says(api: FakeApi, option: str, asked: list[str]) -> None:
    api.at("/api/guardian/incidents", {"incidents": [], "next_cursor": None})
    assert run(api, "incidents", *option.split()) == 0
    assert [value for name, value in api.asked[0][1] if name == "open"] == asked


def test_the_version_needs_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"guardianctl {__version__}\n"


def test_an_id_cannot_leave_its_place_in_the_path(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    api.at("/api/guardian/incidents/../stats?x", {"detail": "no such incident"}, 404)
    assert run(api, "incidents", "../stats?x") == 1
    assert api.asked == [("/api/guardian/incidents/..%2Fstats%3Fx", [])]
    assert capsys.readouterr().err == "guardianctl: no such incident\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["stats", "--label", "x"], "--label must be KEY=VALUE, is 'x'"),
        (["stats", "--label", "=x"], "--label must be KEY=VALUE"),
        (["incidents", "some-id", "--host", "a"], "leave out the filters"),
        (["incidents", "some-id", "--closed"], "leave out the filters"),
        (["incidents", "--open", "--closed"], "--open and --closed leave nothing together"),
        (["incidents", ""], "an ID is not empty"),
        (["mttr", "--by", "host"], "Invalid value for '--by': must be issue-type or playbook, is 'host'"),
        (["stats", "--limit", "3"], "--limit"),
        (["hosts", "--limit", "many"], "Invalid value for '--limit': must be a whole number from 1, is 'many'"),
        (["hosts", "--limit", "9" * 5000], "'--limit': must be a whole number"),
        (["repair"], "repair"),
        (["stats", "--window", "2h"], "window: must be one of 1h"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(
    api: FakeApi, capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    api.at("/api/guardian/stats", {"detail": "window: must be one of 1h"}, 400)
    assert run(api, *arguments) == 2
    error = capsys.readouterr().err
    assert text in error
    assert "Traceback" not in error


def test_an_answer_of_another_version_is_told_and_not_thrown(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    api.at("/api/guardian/hosts", {"machines": []})
    assert run(api, "hosts") == 1
    assert "KeyError: 'hosts'); try --json" in capsys.readouterr().err


def test_the_address_comes_from_the_environment(
    api: FakeApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDIAN_URL", api.url)
    api.at("/api/guardian/hosts", {"hosts": [], "next_cursor": None})
    with pytest.raises(SystemExit, match="0"):
        cli.main(["hosts"])
    assert "no agent has ever connected" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("hosts --host nosuch", "none is as asked for"),
        ("hosts --label x=y", "none is as asked for"),
        ("hosts --cursor c", "none is as asked for"),
        ("hosts --limit 3", "no agent has ever connected"),
        ("playbooks --playbook nosuch", "none is as asked for"),
        ("playbooks --window 1h", "no agent has ever connected"),
    ],
)
def test_where_a_filter_leaves_none_it_is_not_said_that_no_agent_ever_connected(
    api: FakeApi, capsys: pytest.CaptureFixture[str], arguments: str, why: str
) -> None:
    what, *options = arguments.split()
    api.at(f"/api/guardian/{what}", {what: [], "next_cursor": None})
    assert run(api, what, *options) == 0
    assert capsys.readouterr().out == f"no {what}: {why}\n"


def test_an_alphabet_without_dashes_is_no_reason_to_end(api: FakeApi) -> None:
    api.at("/api/guardian/stats", answers.stats())
    command = [console_script("guardianctl"), "stats", "--url", api.url]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "p50 ?" in done.stdout


def test_a_missing_extra_is_named_and_ends_with_78() -> None:
    program = "import sys; sys.modules['typer'] = None; import guardian_ctl.cli"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == "guardianctl: typer is not installed: pip install 'guardian-fleet[ctl]'\n"


def test_a_full_output_is_one_line_and_exit_1(api: FakeApi) -> None:
    api.at("/api/guardian/hosts", {"hosts": [answers.host()], "next_cursor": None})
    for arguments in (["hosts"], ["hosts", "--json"]):
        with Path("/dev/full").open("w") as full:
            ended = subprocess.run(
                [console_script("guardianctl"), *arguments, "--url", api.url],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
        assert "no space left on device" in ended.stderr


def test_a_token_of_the_environment_is_shown(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.at("/api/guardian/hosts", {"hosts": [], "next_cursor": None})
    for token, shown in (("", None), ("gdn_a_b", "Bearer gdn_a_b")):
        monkeypatch.setenv("GUARDIAN_TOKEN", token)
        run(api, "hosts", "--json")
        assert api.shown[-1] == shown
