"""The agent's command line, as an operator meets it."""

import json
import socket
from pathlib import Path

import pytest

from guardian_agent import __version__, cli
from guardian_agent.healing.ladders import DEFAULT_LADDERS

COMPONENT = """
[agent]
state_dir = "{folder}"
mode = "heal"
host_probes = false
[[component]]
name = "web"
listen = "tcp:127.0.0.1:{port}"
[[component]]
name = "nginx"
unit = "nginx.service"
"""


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
        return number


@pytest.fixture
def file(tmp_path: Path, port: int) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(COMPONENT.format(folder=tmp_path, port=port))
    return path


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_good_configuration_is_fine(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check-config", "--config", file) == 0
    assert capsys.readouterr().out == "fine: 2 components, mode heal\n"


def test_every_problem_of_a_bad_configuration_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "agent.toml"
    path.write_text('[[component]]\nname = "web"\nlistens = "tcp:0.0.0.0:80"\n\n[probes.l7_http]\ninterval_s = 0\n')
    assert run("check-config", "--config", path) == cli.EX_CONFIG
    assert capsys.readouterr().err.splitlines() == [
        f'{path}:3: component "web": no key "listens"; did you mean "listen"?',
        f"{path}:6: probes.l7_http.interval_s: must be at least 0.1, is 0",
        "2 errors; nothing was changed",
    ]


def test_a_probes_own_options_are_read_within_their_limits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "agent.toml"
    path.write_text('[probes.host_disk]\nleast_available_percent = 5\nignore = ["/mnt/scratch"]\n')
    assert run("check-config", "--config", path) == 0
    path.write_text("[probes.host_disk]\nleast_available_percent = 90\n[probes.host_clock]\nmost_offset_s = 0\n")
    assert run("check-config", "--config", path) == cli.EX_CONFIG
    assert capsys.readouterr().err.splitlines()[:2] == [
        f"{path}:2: probes.host_disk.least_available_percent: must be at most 50, is 90",
        f"{path}:4: probes.host_clock.most_offset_s: must be more than 0, is 0",
    ]


PLAIN = 'is not the plain path of a folder, such as /var/log: absolute, without ".." or a "/" at its end'


@pytest.mark.parametrize(
    ("allow", "said"),
    [
        ('["/"]', "item 1: / is too much: name the folders below it"),
        ('["/srv/a", "/srv"]', "item 2: /srv is too much: name the folders below it"),
        ('["/etc/x"]', "item 1: /etc/x is the system's own"),
        ('["/var/log/"]', f"item 1: '/var/log/' {PLAIN}"),
        ('["/var/log/../x"]', f"item 1: '/var/log/../x' {PLAIN}"),
        ('["log"]', f"item 1: 'log' {PLAIN}"),
    ],
)
def test_a_folder_below_which_nothing_may_be_deleted_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], allow: str, said: str
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(f"[playbooks.resource_cleanup]\nallow = {allow}\n")
    assert run("check-config", "--config", path) == cli.EX_CONFIG
    assert capsys.readouterr().err.splitlines()[0] == f"{path}:2: playbooks.resource_cleanup.allow: {said}"


def test_the_default_ladders_can_be_written_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "agent.toml"
    path.write_text("\n".join(["[ladders]", *(f"{key} = {list(rungs)}" for key, rungs in DEFAULT_LADDERS.items())]))
    assert run("check-config", "--config", path) == 0
    path.write_text("[ladders]\nhttp_error = ['resource_cleanup']\n[playbooks.restart_service]\ntier = 1\n")
    assert run("check-config", "--config", path) == 0
    (line,) = caplog.messages
    assert line.startswith(f"{path}:2: ladders.http_error: item 1: resource_cleanup does not heal http_error")


def test_probe_tells_what_fails_and_exits_1(file: Path, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("probe", "l4_connect", "--config", file, "--json") == 1
    (answer,) = json.loads(capsys.readouterr().out)["probes"]
    assert (answer["target"], answer["ok"], answer["issue_type"]) == ("web", False, "connection_refused")


def test_probe_exits_0_when_all_is_good(file: Path, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", port)):
        assert run("probe", "l4_connect", "--config", file) == 0
    assert "l4_connect  web     ok" in capsys.readouterr().out


def test_a_probe_that_does_not_exist_is_wrong_usage(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("probe", "l9_politics", "--config", file) == cli.EX_USAGE
    assert "no probe 'l9_politics'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("probe", "text", "why"),
    [
        ("l7_http", "", "no component declares what it asks about"),
        ("l4_listen", "[probes.l4_listen]\nenabled = false\n", "[probes.l4_listen] says enabled = false"),
        ("l3_gateway", "", "it asks about the host itself, which host_probes = false leaves out"),
    ],
)
def test_a_probe_with_nothing_to_look_at_says_why(
    file: Path, capsys: pytest.CaptureFixture[str], probe: str, text: str, why: str
) -> None:
    with file.open("a") as opened:
        opened.write(text)
    assert run("probe", probe, "--config", file, "--json") == cli.EX_USAGE
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"guardian-agent: {probe} has nothing to look at: {why}\n")


def test_without_a_component_there_is_nothing_to_look_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(f'[agent]\nstate_dir = "{tmp_path}"\nhost_probes = false\n')
    for arguments, words in (((), "there is nothing to look at: no component"), (("l4_listen",), "is configured")):
        assert run("probe", *arguments, "--config", path) == cli.EX_USAGE
        assert words in capsys.readouterr().err


def test_a_probe_that_cannot_be_started_is_a_problem(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with file.open("a") as opened:
        opened.write('health = { command = ["/no/such/check"] }\n')
    for arguments in ((), ("l7_command",)):
        assert run("probe", *arguments, "--config", file) == 1
        assert "cannot start /no/such/check" in capsys.readouterr().out


def test_a_playbook_is_only_ever_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("playbook", "restart_component", "--config", file) == cli.EX_USAGE
    assert "--dry-run" in capsys.readouterr().err


def test_a_playbook_that_is_no_remedy_says_why(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("playbook", "restart_component", "--dry-run", "--component", "web", "--config", file) == 1
    assert "has neither a unit nor a command" in capsys.readouterr().err


def test_status_without_an_agent_is_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status", "--config", file) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "is it running?" in line


def test_a_service_runs_no_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text('[[component]]\nname = "web"\ncommand = ["/bin/true"]\n')
    monkeypatch.setenv("GUARDIAN_SERVICE", "1")
    assert run("check-config", "--config", path) == cli.EX_CONFIG
    assert "an installed service runs no commands" in capsys.readouterr().err


def test_a_shell_that_systemd_started_is_no_installed_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "agent.toml"
    path.write_text('[[component]]\nname = "web"\ncommand = ["/bin/true"]\n')
    monkeypatch.setenv("INVOCATION_ID", "0" * 32)
    assert run("check-config", "--config", path) == 0


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"guardian-agent {__version__}\n"


def test_an_empty_name_of_a_file_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check-config", "--config", "") == cli.EX_USAGE
    assert "argument --config: must name a file, is empty" in capsys.readouterr().err


def test_no_command_at_all_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == cli.EX_USAGE
    assert "usage: guardian-agent" in capsys.readouterr().err


def test_the_running_agent_keeps_its_capabilities_from_programs_before_all_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for kept in (True, False):
        caplog.clear()
        monkeypatch.setattr(cli, "keep_from_children", lambda kept=kept: kept)
        assert run("run", "--config", tmp_path / "none.toml") == cli.EX_CONFIG
        assert ("the agent's own capabilities" in caplog.text) is not kept
