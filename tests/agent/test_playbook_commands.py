"""`guardian-agent playbook` for what only observes, and `playbooks`, as an operator meets them."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.agent import test_daemon
from tests.agent.test_cli import run

from guardian_agent import cli

CONFIG = """
[agent]
state_dir = "{folder}"
host_probes = false
[[component]]
name = "bare"
listen = "tcp:127.0.0.1:9"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(CONFIG.format(folder=tmp_path))
    return path


def test_what_would_change_something_is_only_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("playbook", "restart_component", "--config", file) == cli.EX_USAGE
    assert "add --dry-run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("restart_kernel", "--dry-run", "--issue", "nosuch"),
            "no issue type 'nosuch'; restart_kernel heals: heartbeat_lost",
        ),
        (("restart_kernel", "--dry-run", "--issue", ""), "no issue type ''; restart_kernel heals: heartbeat_lost"),
        (("run_diagnostics", "--issue", "disk_fll"), "no issue type 'disk_fll'; did you mean \"disk_full\"?"),
        (("restart_kernel", "--dry-run", "--component", "nosuch"), "no component 'nosuch'; there are: bare"),
        (("restart_kernel", "--dry-run", "--component", "host:disk"), "host_probes = false"),
        (("daily_health_check", "--component", "bare"), "is about the whole host: leave out --component and --issue"),
    ],
)
def test_what_there_is_not_is_wrong_usage_and_what_would_be_right_is_named(
    file: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert run("playbook", *arguments, "--json", "--config", file) == cli.EX_USAGE
    said = capsys.readouterr()
    assert said.out == "" and words in said.err


def test_what_would_do_nothing_says_so_as_json_too(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("playbook", "restart_component", "--dry-run", "--json", "--config", file) == 1
    said = capsys.readouterr()
    assert (said.err, json.loads(said.out)) == (
        "",
        {
            "playbook": "restart_component",
            "target": "bare",
            "issue_type": "",
            "steps": [],
            "findings": {},
            "reason": "bare has neither a unit nor a command, so it can only be watched",
        },
    )


def test_the_daily_check_without_an_agent_is_shown_and_not_recorded(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("playbook", "daily_health_check", "--config", file) == 1
    said = capsys.readouterr()
    assert "it is not recorded, since the agent does not run it: no agent listens" in said.err
    assert "problem: bare: port_not_listening" in said.out and "refused:" in said.out


def test_a_dry_run_of_the_daily_check_asks_no_agent(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("playbook", "daily_health_check", "--dry-run", "--json", "--config", file) == 1
    said = capsys.readouterr()
    assert said.err == "" and json.loads(said.out)["findings"]["problems"]


def test_a_bundle_is_shown_in_lines_or_as_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("playbook", "run_diagnostics", "--config", file) == 0
    assert capsys.readouterr().out.startswith("A picture of the host: ")
    assert run("playbook", "run_diagnostics", "--config", file, "--json") == 0
    assert "l4_listen: bad" in str(json.loads(capsys.readouterr().out)["findings"]["sections"]["looks"])


def test_all_playbooks_are_listed_with_or_without_an_agent(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("playbooks", "--config", file) == 0
    said = capsys.readouterr()
    assert "what they have done is not known" in said.err
    assert "run_diagnostics" in said.out and "beside unhealed" in said.out


async def test_the_running_agent_runs_the_daily_check_records_and_counts_it(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with test_daemon.running(tmp_path):
        code = await asyncio.to_thread(run, "playbook", "daily_health_check", "--config", file, "--json")
        said = capsys.readouterr()
        assert "not recorded" not in said.err
        findings = json.loads(said.out)["findings"]
        assert code == (1 if findings["problems"] else 0)
        assert findings["sections"]["integrity"] == ["outbox: good"]
        status = await test_daemon.until(tmp_path, lambda answer: "daily_health_check" in answer["playbooks"])
        (execution,) = (e for e in status["recent_executions"] if e["playbook"] == "daily_health_check")
        assert (execution["incident_id"], execution["target"]) == ("", "host:self")
        await asyncio.to_thread(run, "playbooks", "--config", file, "--json")
        found = {one["id"]: one for one in json.loads(capsys.readouterr().out)["playbooks"]}
        assert found["daily_health_check"]["executions"] == 1 and found["daily_health_check"]["last_run_at"]
