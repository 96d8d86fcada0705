"""The rule that lets the agent change its units, as an operator or a package makes it."""

import os
from pathlib import Path

import pytest
from tests.agent.test_cli import run

from guardian_agent import polkit_commands

CONFIG = """
[agent]
state_dir = "{folder}"
mode = "heal"
[[component]]
name = "nginx"
unit = "nginx.service"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(CONFIG.format(folder=tmp_path))
    return path


def test_the_polkit_rule_names_the_configured_units(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def known(_: object, units: list[str], protected: object) -> list[str]:
        return units

    monkeypatch.setattr(polkit_commands, "changeable", known)
    assert run("polkit-rule", "--config", file) == 0
    assert '["nginx.service"]' in capsys.readouterr().out


def test_an_observing_agent_gets_no_rights(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(file.read_text().replace("heal", "observe"))
    assert run("polkit-rule", "--config", file) == 0
    assert "nginx.service" not in capsys.readouterr().out


def test_a_rule_that_cannot_be_written_is_one_line(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".60-guardian.rules.new").mkdir()
    monkeypatch.setattr(polkit_commands, "POLKIT_RULE", tmp_path / "60-guardian.rules")
    assert run("polkit-rule", "--write", "--config", file) == 1
    assert "60-guardian.rules: Is a directory" in capsys.readouterr().err


def test_without_polkit_the_agent_starts_and_is_told_that_it_only_looks(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(polkit_commands, "POLKIT_RULE", tmp_path / "nowhere" / "60-guardian.rules")
    assert run("polkit-rule", "--write", "--config", file) == 0
    assert "install polkitd" in capsys.readouterr().err


def test_a_bad_configuration_leaves_the_rule_as_it_is_and_lets_the_agent_say_so(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = tmp_path / "60-guardian.rules"
    rule.write_text("as it was")
    monkeypatch.setattr(polkit_commands, "POLKIT_RULE", rule)
    file.write_text("[agnet]\n")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run("polkit-rule", "--write", "--config", file) == 0
    assert rule.read_text() == "as it was" and "the polkit rule was left as it was" in capsys.readouterr().err


def test_root_makes_no_rule_from_what_others_can_write(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(polkit_commands, "POLKIT_RULE", tmp_path / "60-guardian.rules")
    monkeypatch.setattr(polkit_commands, "changeable_by_others", lambda path: f"{path}: must belong to root")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert run("polkit-rule", "--write", "--config", file) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "must belong to root; the rule was left as it was" in line
