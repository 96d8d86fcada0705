"""What the configuration may say and perhaps does not mean, and how it is told."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guardian_agent.config import load
from guardian_agent.notices import of_files
from guardian_toml import Document

Told = Callable[..., list[str]]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """The notices about a configuration, without the name of the file."""

    def told(text: str, **options: Any) -> list[str]:
        path = tmp_path / "agent.toml"
        path.write_text(text)
        known: dict[str, Any] = {"probe_fields": {}, "playbook_fields": {}, "issue_types": ()} | options
        return [line.replace(f"{path}:", "", 1) for line in load(path, **known).notices]

    return told


def test_a_component_of_which_less_is_done_than_one_might_think_is_told(told: Told) -> None:
    text = "[[component]]\nname = 'web'\nunit = 'ssh.service'\n[[component]]\nname = 'idle'\n"
    assert told(text) == [
        '3: component "web": unit: ssh.service is protected: it is watched and never acted on',
        '4: component "idle": declares nothing that can be looked at: nothing of it is watched',
    ]


def test_a_component_that_a_probe_of_ones_own_looks_at_is_watched(told: Told) -> None:
    probe = "[probes.l7_depth]\ncommand = ['true']\nissue_type = 'queue_stuck'\n"
    text = f"[[component]]\nname = 'worker'\n{probe}"
    (line,) = told(text)
    assert "declares nothing that can be looked at" in line
    assert told(text, asked_about=lambda component: component.name == "worker") == []
    assert told(f"{text}component = 'worker'\n") == []
    assert told(f"{text}component = 'worker'\nenabled = false\n") == [line]


def test_the_aggregators_files_that_cannot_be_read_are_told(told: Told, tmp_path: Path) -> None:
    there, none = tmp_path / "certificate.pem", tmp_path / "none.pem"
    there.touch()
    text = (
        f"[aggregator]\naddress = 'hub:1'\ncertificate_file = '{there}'\nkey_file = '{none}'\nca_file = '{tmp_path}'\n"
    )
    hears = "until it can, the aggregator hears nothing"
    assert told(text) == [
        f"4: aggregator.key_file: {none} cannot be read: No such file or directory; {hears}",
        f"5: aggregator.ca_file: {tmp_path} cannot be read: it is no file; {hears}",
    ]
    assert told(text, look_at_files=False) == []


def test_a_file_that_is_not_ours_to_read_is_told(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key.pem").touch()
    monkeypatch.setattr(os, "access", lambda file, mode: False)
    files = "".join(f"{key} = '{tmp_path}/key.pem'\n" for key in ("certificate_file", "key_file", "ca_file"))
    lines = told(f"[aggregator]\naddress = 'hub:1'\n{files}")
    assert len(lines) == 3 and all("cannot be read: Permission denied" in line for line in lines)


def test_a_file_that_never_answers_keeps_nobody_waiting(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text("[aggregator]\nkey_file = '/gone/key'\nca_file = '/gone/ca'\n")
    answers = threading.Event()

    def hang() -> str:
        answers.wait(60)
        return ""

    named = [(("aggregator", "key_file"), hang), (("aggregator", "ca_file"), lambda: "is never come to")]
    lines = of_files(Document([tmp_path / "agent.toml"]), named, within_s=0.01)
    answers.set()
    assert lines == [f"{tmp_path}/agent.toml:2: aggregator.key_file: could not be looked at within 0.01 s"]


PROGRAMS = """
[agent]
page_command = ["{program}"]
[[component]]
name = "web"
command = ["{program}"]
drain = ["{program}"]
health = {{ command = ["{program}"] }}
[probes.l7_depth]
command = ["{program}"]
issue_type = "queue_stuck"
[playbooks.skip_job]
heals = ["queue_stuck"]
execute = ["{program}"]
rollback = ["{program}"]
check = ["{program}"]
"""
SECRET = """
[[component]]
name = "web"
[[component.secret]]
path = "/etc/token"
max_age_s = 60
renew = ["{program}"]
check = ["{program}"]
"""


def test_every_program_that_cannot_be_run_is_told_where_it_is_named(told: Told, tmp_path: Path) -> None:
    assert told(PROGRAMS.format(program="/bin/true")) == told(PROGRAMS.format(program="true")) == []
    assert told(SECRET.format(program="/bin/true")) == []
    none = f"{tmp_path}/none"
    said = f"item 1: {none} cannot be run: No such file or directory"
    assert told(PROGRAMS.format(program=none)) == [
        f"3: agent.page_command: {said}",
        f'6: component "web": command: {said}',
        f'7: component "web": drain: {said}',
        f'8: component "web": health.command: {said}',
        f"10: probes.l7_depth.command: {said}",
        f"14: playbooks.skip_job.execute: {said}",
        f"15: playbooks.skip_job.rollback: {said}",
        f"16: playbooks.skip_job.check: {said}",
    ]
    assert told(SECRET.format(program=none)) == [
        f'7: component "web": secret 1: renew: {said}',
        f'8: component "web": secret 1: check: {said}',
    ]


def test_why_a_program_cannot_be_run_is_told(told: Told, tmp_path: Path) -> None:
    (tmp_path / "text").touch(0o644)
    for program, why in (
        (tmp_path / "text", f"{tmp_path}/text cannot be run: it is not executable"),
        (tmp_path, f"{tmp_path} cannot be run: it is no file"),
        (tmp_path / "text" / "below", f"{tmp_path}/text/below cannot be run: Not a directory"),
        ("no-such-program", 'PATH has no program "no-such-program"'),
    ):
        assert told(f"[agent]\npage_command = ['{program}']\n") == [f"2: agent.page_command: item 1: {why}"]


def test_what_only_root_may_look_at_is_not_judged_by_the_agent(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut, stat = Path("/shut/program"), Path.stat

    def refused(path: Path, **how: Any) -> os.stat_result:
        if path == shut:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return stat(path, **how)

    monkeypatch.setattr(Path, "stat", refused)
    assert told(SECRET.format(program=shut)) == []
    assert len(told(PROGRAMS.format(program=shut))) == 8
    (tmp_path / "roots").touch(0o700)
    monkeypatch.setattr(os, "access", lambda file, mode: False)
    assert told(SECRET.format(program=tmp_path / "roots")) == []
    assert len(told(PROGRAMS.format(program=tmp_path / "roots"))) == 8
