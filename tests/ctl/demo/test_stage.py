import subprocess
from pathlib import Path

import pytest
import tomli
from tests.ctl import answers
from tests.ctl.conftest import FakeApi

from guardian_ctl.client import Client
from guardian_ctl.demo.children import console_script
from guardian_ctl.demo.stage import PORTS, Stage, agent_config, aggregator_config, all_well, free_port
from guardian_ctl.errors import CtlError


@pytest.mark.parametrize("daemon", ["guardian-agent", "guardian-aggregator"])
def test_the_daemons_accept_their_configuration(tmp_path: Path, daemon: str) -> None:
    folder = tmp_path / 'a "folder" with \\ and ü'
    folder.mkdir()
    config = folder / "config.toml"
    agent = agent_config(folder, "127.0.0.1:7443", 12_345)
    config.write_text(agent if daemon == "guardian-agent" else aggregator_config(folder))
    command = [console_script(daemon), "check-config", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_of_the_agent_lies_outside_of_the_folder(tmp_path: Path) -> None:
    agent = tomli.loads(agent_config(tmp_path, "127.0.0.1:7443", 12_345))["agent"]
    for key in ("state_dir", "socket", "hold_file"):
        assert Path(agent[key]).is_relative_to(tmp_path)


def test_a_free_port_is_none_that_the_kernel_gives_to_clients() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert free_port() in PORTS
    assert PORTS[-1] < max(lowest, 32_768)


def layers(**states: str) -> answers.Json:
    told = []
    for name, state in states.items():
        counts = {"ok": 0, "failing": 0, "unknown": 0} | {state: 2}
        failing = [{"target": "web"}] if state == "failing" else []
        told.append({"name": name, "conditions": counts, "failing_conditions": failing})
    return {"layers": told}


@pytest.mark.parametrize(
    ("connected", "transport", "physical", "well"),
    [
        (True, "ok", "unknown", True),
        (False, "ok", "unknown", False),
        (True, "unknown", "unknown", False),
        (True, "failing", "unknown", False),
    ],
)
async def test_all_is_well_when_every_probe_of_the_component_has_said_so(
    api: FakeApi, connected: bool, transport: str, physical: str, well: bool
) -> None:
    api.at("/api/guardian/hosts", {"hosts": [answers.host(connected=connected)]})
    api.at("/api/guardian/osi", layers(physical=physical, transport=transport, application="ok", host="ok"))
    async with Client(api.url) as client:
        assert await all_well(client) is well


async def test_what_never_comes_true_ends_with_the_log_that_may_tell_why(tmp_path: Path) -> None:
    stage = Stage()
    log = tmp_path / "x.log"
    log.write_text("disk full\n")

    async def never() -> bool:
        return False

    with pytest.raises(CtlError, match=r"after 0.1 s it is still not so that pigs fly; the end of x.log:\n  disk full"):
        await stage.until(never, "pigs fly", 0.1, log=log)
    await stage.close()
    assert not stage.folder.exists()
