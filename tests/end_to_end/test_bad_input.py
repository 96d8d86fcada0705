"""Bad input ends in one clear line and the right exit code, and a running agent goes on healing."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from tests.end_to_end.agent_process import all_ok, ended, free_port, heals, running, web, write_config

USAGE, CONFIG, PROBLEM = 2, 78, 1

BAD_CONFIGURATIONS: dict[str, tuple[str | bytes, str]] = {
    "invalid TOML": ("[agent\n", "agent.toml:1: not TOML: "),
    "not UTF-8": (b"[agent]\nid = '\xff'\n", "agent.toml:2: not UTF-8"),
    "unknown key": ('[agent]\nid = "h"\nmdoe = "heal"\n', 'agent.toml:3: agent: no key "mdoe"; did you mean "mode"?'),
    "unknown table": ("[agnet]\n", 'agent.toml:1: no key "agnet"; did you mean "agent"?'),
    "two of one name": (
        '[[component]]\nname = "web"\n[[component]]\nname = "web"\n',
        'agent.toml:4: component "web": name: another component has this name already',
    ),
    "a port out of range": (
        '[[component]]\nname = "web"\nlisten = "tcp:0.0.0.0:70000"\n',
        'agent.toml:3: component "web": listen: the port must be between 1 and 65535, is 70000',
    ),
    "plain text to another machine": (
        '[aggregator]\naddress = "hub.example:7443"\ninsecure = true\n',
        "agent.toml:3: aggregator.insecure: is accepted for loopback addresses only",
    ),
}


@pytest.mark.parametrize("name", BAD_CONFIGURATIONS)
@pytest.mark.parametrize("command", ["run", "check-config", "status"])
async def test_a_bad_configuration_ends_in_its_line_and_code_78(tmp_path: Path, name: str, command: str) -> None:
    text, line = BAD_CONFIGURATIONS[name]
    file = tmp_path / "agent.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    code, _, said = await ended(command, "--config", str(file))
    first, last = said.splitlines()
    assert (code, last) == (CONFIG, "1 error; nothing was changed")
    assert line in first


@pytest.mark.parametrize("command", ["run", "check-config", "status"])
async def test_a_configuration_that_is_not_there_ends_with_78(tmp_path: Path, command: str) -> None:
    code, _, said = await ended(command, "--config", str(tmp_path / "none.toml"))
    assert code == CONFIG
    assert said.splitlines() == [
        f"{tmp_path}/none.toml: cannot be read: No such file or directory",
        "1 error; nothing was changed",
    ]


async def test_a_folder_in_the_place_of_the_configuration_ends_with_78(tmp_path: Path) -> None:
    code, _, said = await ended("run", "--config", str(tmp_path))
    assert code == CONFIG
    assert said.splitlines() == [f"{tmp_path}: cannot be read: Is a directory", "1 error; nothing was changed"]


@pytest.mark.parametrize("arguments", [(), ("heal",), ("run", "--mode", "heal")])
async def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    code, _, said = await ended(*arguments)
    assert code == USAGE
    assert said.splitlines()[-1].startswith("guardian-agent")


@pytest.mark.parametrize("arguments", [("playbook", "none", "--dry-run"), ("probe", "l9_politics")])
async def test_what_there_is_not_is_wrong_usage_and_what_there_is_stands_there(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    code, _, said = await ended(*arguments, "--config", str(write_config(tmp_path)))
    assert code == USAGE
    assert said.startswith(f"guardian-agent: no {arguments[0]} '{arguments[1]}'")


async def test_a_state_folder_that_cannot_be_made_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = write_config(tmp_path, agent=f'state_dir = "{tmp_path}/file/state"')
    code, _, said = await ended("run", "--config", str(config))
    assert code == PROBLEM
    assert said.splitlines() == [
        f"guardian-agent: {tmp_path}/file/state: cannot be used as state folder: Not a directory"
    ]


async def test_a_state_that_is_no_database_ends_in_one_line(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.db").write_bytes(os.urandom(8192))
    code, _, said = await ended("run", "--config", str(config))
    assert code == PROBLEM
    (line,) = said.splitlines()
    assert line == f"guardian-agent: {tmp_path}/state/state.db: file is not a database"


async def test_status_without_a_daemon_ends_in_one_line(tmp_path: Path) -> None:
    code, _, said = await ended("status", "--config", str(write_config(tmp_path)))
    assert code == PROBLEM
    assert said.splitlines() == [f"guardian-agent: no agent listens at {tmp_path}/state/agent.sock; is it running?"]


async def test_a_second_agent_on_one_state_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    async with running(config) as agent:
        code, _, said = await ended("run", "--config", str(config))
        assert code == PROBLEM
        assert said.splitlines() == [f"guardian-agent: {tmp_path}/state/state.db: in use by another guardian-agent"]
        assert (await agent.status())["agent"] == "host-1"


async def test_a_reload_of_a_broken_configuration_keeps_the_old_one_and_says_so(tmp_path: Path) -> None:
    port = free_port()
    config = write_config(tmp_path, web(port))
    good = config.read_text()
    async with running(config) as agent:
        await agent.status_when(all_ok, "all is good")
        config.write_text(good.replace('name = "web"', 'name = "web"\nlisten = 80'))
        agent.hang_up()
        line = await agent.says("the new configuration is not used, the old one stays")
        assert f"{config}:" in line
        config.write_text(good)
        await heals(agent, port)
        config.write_text(good.replace('"heal"', '"observe"'))
        agent.hang_up()
        await agent.says("ready: .*mode observe")
        assert (await agent.status())["mode"] == "observe"
        config.write_text(good)
        agent.hang_up()
        await agent.says("ready: .*mode heal", times=2)
        await heals(agent, port)


@pytest.mark.parametrize(
    ("module", "code", "line"),
    [
        ("msgspec", CONFIG, "guardian-agent: msgspec is not installed: pip install 'guardian-fleet"),
        ("grpc", CONFIG, "guardian-agent: grpc is not installed: pip install 'guardian-fleet"),
        ("guardian_agent.daemon", PROBLEM, "ModuleNotFoundError: .*guardian_agent.daemon"),
    ],
)
async def test_a_missing_library_names_its_extra_and_a_broken_installation_does_not(
    module: str, code: int, line: str
) -> None:
    program = f"import sys; sys.modules['{module}'] = None; from guardian_agent.cli import main; main(['run'])"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == code
    assert re.match(line, said.decode().splitlines()[-1])
