"""The command line: one clear line and the right exit code, whatever is wrong."""

import socket
import sys

import pytest
from tests.aggregator.ingest import process

from guardian_aggregator import __version__, cli
from guardian_aggregator.store.database import migrations


def test_init_writes_a_configuration_that_holds(tmp_path, capsys):
    config = tmp_path / "etc" / "aggregator.toml"
    assert cli.main(["init", "--config", str(config), "--state-dir", str(tmp_path / "state")]) == 0
    assert (tmp_path / "state").is_dir()
    assert cli.main(["check-config", "--config", str(config)]) == 0
    assert capsys.readouterr().err.endswith(f"{config}: fine\n")


def test_init_overwrites_nothing(tmp_path, capsys):
    config = tmp_path / "aggregator.toml"
    config.write_text("mine")
    assert cli.main(["init", "--config", str(config), "--state-dir", str(tmp_path / "state")]) == 1
    assert config.read_text() == "mine"
    assert capsys.readouterr().err == f"{config}: exists already; nothing was changed\n"


def test_migrate_says_what_it_did(tmp_path, capsys):
    config = process.write_config(tmp_path)
    assert cli.main(["migrate", "--config", str(config)]) == 0
    assert cli.main(["migrate", "--config", str(config)]) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(f"guardian.db: schema 0 → {len(migrations())}")
    assert second.endswith(f"guardian.db: schema {len(migrations())}")


@pytest.mark.parametrize("command", ["run", "check-config", "migrate"])
def test_every_problem_of_the_configuration_is_a_line(tmp_path, capsys, command):
    config = tmp_path / "aggregator.toml"
    config.write_text('[grpc]\nlisten = "nowhere"\n[http]\nlisen = "x"\n')
    assert cli.main([command, "--config", str(config)]) == 78
    assert capsys.readouterr().err.splitlines() == [
        f'{config}:2: grpc.listen: must be HOST:PORT, is "nowhere"',
        f'{config}:4: http: no key "lisen"; did you mean "listen"?',
    ]


def test_a_certificate_that_is_not_there_is_a_problem_of_the_configuration(tmp_path, capsys):
    files = "\n".join(f'{key} = "{tmp_path}/{key}"' for key in ("certificate_file", "key_file", "ca_file"))
    config = process.write_config(tmp_path, tls=files)
    assert cli.main(["check-config", "--config", str(config)]) == 78
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["grpc.certificate_file", "grpc.key_file", "grpc.ca_file"]


@pytest.mark.parametrize("arguments", [[], ["fly"], ["run", "--colour"]])
def test_wrong_usage_is_exit_code_2(arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2


def test_help_tells_the_version_and_what_holds_by_default(capsys):
    for arguments, words in (
        (["--version"], f"guardian-aggregator {__version__}\n"),
        (["run", "--help"], "--config FILE default: /etc/guardian/aggregator.toml"),
        (["init", "--help"], "--state-dir DIR default: /var/lib/guardian-aggregator"),
        (["token", "list", "--help"], "--config FILE default: /etc/guardian/aggregator.toml"),
    ):
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert ended.value.code == 0
        assert " ".join(words.split()) in " ".join(capsys.readouterr().out.split())


def test_a_missing_extra_is_named(tmp_path, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("guardian_aggregator.app")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvloop", None)
    monkeypatch.delattr("guardian_aggregator.app", raising=False)
    assert cli.main(["run", "--config", str(tmp_path / "x")]) == 78
    assert capsys.readouterr().err == "guardian-aggregator needs uvloop: pip install 'guardian-fleet[aggregator]'\n"


async def test_a_state_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "state").write_text("a file")
    code, said = await process.ended("run", "--config", str(process.write_config(tmp_path)))
    assert code == 1
    assert said == f"guardian-aggregator: {tmp_path}/state: the state folder cannot be made: file exists\n"


@pytest.mark.parametrize("which", ["grpc", "http"])
async def test_a_port_in_use_is_one_line(tmp_path, which):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = await process.ended("run", "--config", str(process.write_config(tmp_path, **{which: address})))
    assert code == 1
    (line,) = said.splitlines()
    assert line.startswith(f"guardian-aggregator: {which}.listen: {address} cannot be listened on")


async def test_a_database_in_use_or_too_new_is_one_line(tmp_path):
    config = process.write_config(tmp_path)
    async with process.running(config):
        code, said = await process.ended("run", "--config", str(config))
        assert (code, said.count("\n")) == (1, 1)
        assert "another aggregator has it open" in said


def test_what_is_worth_a_word_is_said_though_the_configuration_is_fine(tmp_path, capsys):
    config = process.write_config(tmp_path, http="0.0.0.0:0", https="insecure = true")
    assert cli.main(["check-config", "--config", str(config)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path}/state: is not there; run makes it",
        "http.listen: 0.0.0.0:0 is open to the network in the clear, and tokens can be read there",
        "http.tokens: there is none, so nobody may ask; `guardian-aggregator token create` makes one",
        f"{config}: fine",
    ]
