"""`guardianctl demo` as a real process: a real server broken three ways, healed, and counted at the API."""

import asyncio
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from tests.bed.waiting import until

from guardian_ctl.demo.children import console_script
from guardian_ctl.demo.stage import HEALTH_INTERVAL_S, HEALTH_TIMEOUT_S
from guardian_ctl.demo.watching import INTERVAL_S, TIMEOUT_S

GUARDIANCTL = console_script("guardianctl")
DEMO_WITHIN_S = 120.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the demo keeps what is temporary; every process that it starts has the name in its environment."""
    with tempfile.TemporaryDirectory(prefix="gd-") as name:
        yield Path(name)


@pytest.fixture
async def started(folder: Path) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """The processes that a test starts; those that still run at its end are killed."""
    processes: list[asyncio.subprocess.Process] = []
    yield processes
    for process in processes:
        if process.returncode is None:
            process.kill()
            await process.wait()
    for pid in left_over(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def start(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    environment = os.environ | {"TMPDIR": str(folder)}
    return await asyncio.create_subprocess_exec(GUARDIANCTL, *arguments, stdout=pipe, stderr=pipe, env=environment)


def left_over(folder: Path) -> list[int]:
    """The processes with the folder's name in their environment; a zombie has none."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdecimal() and f"TMPDIR={folder}".encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
    return found


async def assert_nothing_is_left(folder: Path) -> None:
    assert await asyncio.to_thread(left_over, folder) == []
    assert await asyncio.to_thread(lambda: list(folder.iterdir())) == []


async def test_the_demo_heals_all_three_and_tells_the_truth_about_it(
    folder: Path, started: list[asyncio.subprocess.Process]
) -> None:
    demo = await start(folder, "demo", "--once", "--json")
    started.append(demo)
    out, err = await asyncio.wait_for(demo.communicate(), DEMO_WITHIN_S)
    assert demo.returncode == 0, err.decode()
    await assert_nothing_is_left(folder)

    told: dict[str, Any] = json.loads(out)  # one object, and nothing beside it
    incidents, stats = told["incidents"], told["stats"]
    assert [incident["fault"] for incident in incidents] == ["killed", "frozen", "deaf"]
    kinds = [incident["issue_type"] for incident in incidents]
    assert kinds == ["process_crashed", "service_hung", "port_not_listening"]
    for incident in incidents:
        ended = incident["playbook"], incident["outcome"], incident["resolution"]
        assert ended == ("restart_component", "healed", "auto")
        assert_as_the_client_saw_it(incident)
    recovered = [incident["time_to_recover_seconds"] for incident in incidents]
    assert stats["mttr_seconds"] == pytest.approx(mean(recovered), abs=1e-6)  # counted in microseconds
    assert (stats["count"], stats["open"], stats["incidents"]["auto"]) == (3, 0, 3)
    assert (stats["executions"]["by_outcome"]["healed"], stats["executions"]["success_rate"]) == (3, 1.0)


def assert_as_the_client_saw_it(incident: dict[str, Any]) -> None:
    """What the agent says it took is what the client missed, but for what either of them can see with its looks."""
    recover, outage = incident["time_to_recover_seconds"], incident["client_outage_seconds"]
    assert 0 < recover <= outage + HEALTH_INTERVAL_S + HEALTH_TIMEOUT_S
    # The agent looks first up to an interval after the fault. The client asks more often; its first question may have
    # been under way when the fault came, and its last bad one may have kept it from asking.
    assert outage <= recover + HEALTH_INTERVAL_S + HEALTH_TIMEOUT_S + 2 * (INTERVAL_S + TIMEOUT_S)
    assert incident["time_to_detect_seconds"] < recover


async def test_a_demo_that_goes_on_can_be_asked_by_every_command_until_it_is_ended(
    folder: Path, started: list[asyncio.subprocess.Process]
) -> None:
    demo = await start(folder, "demo")
    started.append(demo)
    url = await asyncio.wait_for(url_of(demo), DEMO_WITHIN_S)
    for command, expected in (
        ("stats", "3, 0 of them open; healed by Guardian 3"),
        ("mttr", "service_hung"),
        ("mttr --by playbook", "restart_component"),
        ("hosts", "demo-host"),
        ("incidents", "port_not_listening"),
        ("playbooks", "by itself"),
    ):
        code, out, err = await ask(folder, command, url)
        assert (code, err) == (0, "")
        assert expected in out
    _, newest, _ = await ask(folder, "incidents --limit 1 --json", url)
    code, out, _ = await ask(folder, f"incidents {json.loads(newest)['incidents'][0]['id']}", url)
    assert (code, "restart_component: healed" in out) == (0, True)
    assert (await ask(folder, "incidents none", url))[::2] == (1, "guardianctl: no such incident\n")
    assert (await ask(folder, "stats --window 2h", url))[0] == 2
    demo.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(demo.wait(), 30) == 0
    await assert_nothing_is_left(folder)


async def test_a_demo_that_is_terminated_half_way_leaves_nothing(
    folder: Path, started: list[asyncio.subprocess.Process]
) -> None:
    demo = await start(folder, "demo", "--once")
    started.append(demo)

    async def component_runs() -> bool:
        assert demo.returncode is None
        return await asyncio.to_thread(lambda: any(folder.glob("*/agent/commands/web.json")))

    await until(component_runs, "the agent has started the component", within_s=30)
    demo.send_signal(signal.SIGTERM)
    out, _ = await asyncio.wait_for(demo.communicate(), 30)
    assert demo.returncode == 128 + signal.SIGTERM
    assert b"nothing is left behind" in out
    await assert_nothing_is_left(folder)


async def url_of(demo: asyncio.subprocess.Process) -> str:
    """The address that the demo invites to ask, when it has ended its part."""
    assert demo.stdout is not None
    async for line in demo.stdout:
        _, found, url = line.decode().partition("--url ")
        if found:
            return url.strip()
    raise AssertionError("the demo ended without an address")


async def ask(folder: Path, command: str, url: str) -> tuple[int | None, str, str]:
    asking = await start(folder, *command.split(), "--url", url)
    out, err = await asyncio.wait_for(asking.communicate(), 30)
    return asking.returncode, out.decode(), err.decode()


def test_the_readme_s_example_is_a_configuration_that_the_agent_accepts(tmp_path: Path) -> None:
    _, _, rest = (Path(__file__).parents[2] / "README.md").read_text().partition("```toml\n")
    config = tmp_path / "agent.toml"
    config.write_text(rest.partition("```")[0])
    command = [console_script("guardian-agent"), "check-config", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    warned = done.stderr.splitlines()  # the example's programs are not on this machine, and that is all
    assert all("/usr/local/bin/" in line and "cannot be run: No such file" in line for line in warned), done.stderr
