"""The executor on a real host, as its packaged units run it: asked by the agent's own user, from without the agent."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.bed.fleet import Fleet
from tests.bed.guardian import Guardian
from tests.bed.host import Host
from tests.bed.product import VENV
from tests.bed.waiting import until

SERVICE, SOCKET = "guardian-executor.service", "guardian-executor.socket"
LOG = "/var/log/guardian/executor.jsonl"
CONFIG = """
[agent]
mode = "heal"
[[component]]
name = "web"
unit = "nginx.service"
"""
ASK = f"""#!{VENV}/bin/python
import asyncio, sys, time
from pathlib import Path
from guardian_agent.host.executor_client import ExecutorClient
from guardian_agent.host.operations import WriteSysctl, WriteText
from guardian_agent.host.questions import ReadStacks
executor = ExecutorClient(Path("/run/guardian/executor.sock"))
async def main(what, *rest):
    began = time.monotonic()
    if what == "stacks":
        for stack in await executor.ask(ReadStacks(*rest)):
            print(stack.name, stack.status, stack.waits_in, *stack.kernel_stack[:1])
    elif what == "text":
        await executor.do(WriteText(rest[0], rest[1].encode()))
    else:
        await executor.do(WriteSysctl(*rest))
    print("after", time.monotonic() - began, file=sys.stderr)
try:
    asyncio.run(main(*sys.argv[1:]))
except Exception as error:
    sys.exit(f"{{type(error).__name__}}: {{error}}")
"""
# Takes a minute for a setting.
SLOW = f"""#!{VENV}/bin/python
import asyncio
from guardian_agent.cli import main
from guardian_agent.host.as_root import AsRoot
async def slowly(self, operation):
    await asyncio.sleep(60)
AsRoot.do = slowly
main(["executor"])
"""
ALLOWED = ("net.ipv4.ip_local_port_range", "32768 60999")  # whatever narrower there is


@pytest.fixture(scope="module")
def host(fleet: Fleet) -> Host:
    async def prepare() -> Host:
        h1 = fleet["h1"]
        await h1.write_file("/etc/guardian/agent.toml", CONFIG)
        await h1.write_file("/usr/local/bin/ask", ASK, mode="0755")
        await h1.must("systemctl", "start", SOCKET)
        return h1

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(prepare())


def user(name: str) -> tuple[str, ...]:
    return ("setpriv", f"--reuid={name}", f"--regid={name}", "--clear-groups", "--no-new-privs")


async def ask(host: Host, *words: str, by: str = "guardian") -> str:
    """What comes of asking: the answer, or the error by its name."""
    done = await host.exec(*user(by), "/usr/local/bin/ask", *words)
    return done.out if done.ok else done.err.strip()


async def audit(host: Host) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await host.must("cat", LOG)).splitlines()]


async def state(host: Host) -> tuple[str, int]:
    shown = await host.must("systemctl", "show", "--property=ActiveState,MainPID", SERVICE)
    values = dict(line.split("=") for line in shown.split())
    return values["ActiveState"], int(values["MainPID"])


@contextlib.asynccontextmanager
async def started_with(host: Host, line: str) -> AsyncIterator[None]:
    """The service with another line in its unit; ended before and after, so that this holds."""
    drop_in = f"/run/systemd/system/{SERVICE}.d/test.conf"
    await host.write_file(drop_in, f"[Service]\n{line}\n")
    await host.must("sh", "-c", f"systemctl daemon-reload; systemctl stop {SERVICE}")
    try:
        yield
    finally:
        await host.must("sh", "-c", f"rm {drop_in}; systemctl daemon-reload; systemctl stop {SERVICE}")


async def test_the_agents_user_has_done_what_is_allowed(host: Host) -> None:
    await host.must("sysctl", "-w", f"{ALLOWED[0]}=40000 40019")
    assert await ask(host, "sysctl", *ALLOWED) == ""
    assert (await host.must("sysctl", "-n", ALLOWED[0])).split() == ALLOWED[1].split()
    begun, done = (await audit(host))[-2:]
    guardian = int(await host.must("id", "-u", "guardian"))
    assert (begun["outcome"], done["outcome"], begun["uid"]) == ("begun", "done", guardian)
    assert begun["request"] == {"type": "WriteSysctl", "name": ALLOWED[0], "value": ALLOWED[1]}


async def test_what_is_not_allowed_stays_as_it_was(host: Host) -> None:
    before = await host.must("sysctl", "-n", "kernel.core_pattern")
    assert "RefusedOperationError" in await ask(host, "sysctl", "kernel.core_pattern", "7")
    assert await host.must("sysctl", "-n", "kernel.core_pattern") == before
    assert (await audit(host))[-1]["outcome"] == "refused"


async def test_the_mode_heal_alone_lets_nobody_rewrite_what_names_are_resolved_by(host: Host) -> None:
    before = await host.must("cat", "/etc/hosts")
    assert "restore_resolver is of tier 2" in await ask(host, "text", "/etc/hosts", "198.18.0.9 hub.bed")
    assert await host.must("cat", "/etc/hosts") == before


async def test_another_user_is_refused(host: Host) -> None:
    assert "Permission denied" in await ask(host, "sysctl", *ALLOWED, by="www-data")
    # Were the socket open to all, the kernel's word for who connects would still stand.
    await host.must("chmod", "0666", "/run/guardian/executor.sock")
    try:
        assert "may not ask the executor for anything" in await ask(host, "sysctl", *ALLOWED, by="www-data")
    finally:
        await host.must("chmod", "0660", "/run/guardian/executor.sock")
    assert (await audit(host))[-1]["uid"] == int(await host.must("id", "-u", "www-data"))


@pytest.mark.parametrize("setting", [("net.ipv4.ip_local_port_range", "40000 40019"), ("net.core.somaxconn", "1")])
async def test_no_setting_is_made_worse(host: Host, setting: tuple[str, str]) -> None:
    before = await host.must("sysctl", "-n", setting[0])
    assert "RefusedOperationError" in await ask(host, "sysctl", *setting)
    assert await host.must("sysctl", "-n", setting[0]) == before


async def test_the_audit_log_is_roots(host: Host) -> None:
    await ask(host, "sysctl", *ALLOWED)
    assert (await host.must("stat", "-c", "%U:%G %a", LOG)).strip() == "root:root 640"
    assert (await host.must("stat", "-c", "%U:%G %a", "/var/log/guardian")).strip() == "root:root 750"
    assert not (await host.exec(*user("guardian"), "cat", LOG)).ok


async def test_it_says_where_the_threads_of_a_component_are(host: Host) -> None:
    assert "nginx S" in await ask(host, "stacks", "nginx.service")
    assert "is no unit of a component" in await ask(host, "stacks", "systemd-journald.service")


async def test_the_mode_observe_and_the_hold_file_refuse(host: Host) -> None:
    await host.write_file("/etc/guardian/agent.toml", CONFIG.replace('"heal"', '"observe"'))
    try:
        assert "the mode is observe" in await ask(host, "sysctl", *ALLOWED)
    finally:
        await host.write_file("/etc/guardian/agent.toml", CONFIG)
    await host.must("touch", "/etc/guardian/hold")
    try:
        assert "the hold file" in await ask(host, "sysctl", *ALLOWED)
    finally:
        await host.must("rm", "/etc/guardian/hold")
    assert await ask(host, "sysctl", *ALLOWED) == ""


async def test_a_configuration_that_others_may_write_allows_nothing(host: Host) -> None:
    await host.must("chmod", "0666", "/etc/guardian/agent.toml")
    try:
        assert "must not be writable by others than root" in await ask(host, "sysctl", *ALLOWED)
    finally:
        await host.must("chmod", "0644", "/etc/guardian/agent.toml")


async def test_it_ends_when_idle_and_is_there_for_the_next(host: Host) -> None:
    async with started_with(host, "ExecStart=\nExecStart=/usr/bin/guardian-agent executor --idle=0.5"):
        assert await ask(host, "sysctl", *ALLOWED) == ""

        async def ended() -> bool:
            return await state(host) == ("inactive", 0)

        await until(ended, "the executor has ended", within_s=10)
        began = asyncio.get_running_loop().time()
        assert await ask(host, "sysctl", *ALLOWED) == ""
        assert asyncio.get_running_loop().time() - began < 5.0


async def test_killed_in_the_middle_of_it_nobody_knows(host: Host) -> None:
    await host.write_file("/usr/local/bin/slow-executor", SLOW, mode="0755")
    async with started_with(host, "ExecStart=\nExecStart=/usr/local/bin/slow-executor"):
        asking = asyncio.create_task(ask(host, "sysctl", *ALLOWED))

        async def begun() -> bool:
            return (await audit(host))[-1]["outcome"] == "begun"

        await until(begun, "it has begun", within_s=10)
        await host.must("systemctl", "kill", "--signal=KILL", SERVICE)
        assert "UnknownResultError: sysctl -w" in await asking
    assert (await audit(host))[-1]["outcome"] == "begun"
    assert await ask(host, "sysctl", *ALLOWED) == ""


async def test_stopped_in_the_middle_of_it_it_is_carried_through(host: Host) -> None:
    await host.write_file("/usr/local/bin/slow-executor", SLOW.replace("60", "2"), mode="0755")
    async with started_with(host, "ExecStart=\nExecStart=/usr/local/bin/slow-executor"):
        asking = asyncio.create_task(ask(host, "sysctl", *ALLOWED))

        async def begun() -> bool:
            return (await audit(host))[-1]["outcome"] == "begun"

        await until(begun, "it has begun", within_s=10)
        await host.must("systemctl", "stop", SERVICE)
        assert await asking == ""
    assert (await audit(host))[-1]["outcome"] == "done"


async def test_the_running_agent_says_that_it_can_be_reached(fleet: Fleet, host: Host) -> None:
    guardian = await Guardian.on(fleet)
    await guardian.start_agent(fleet["h2"])
    assert (await guardian.status(fleet["h2"]))["executor"] == "ready"
    await fleet["h2"].must("systemctl", "stop", SOCKET, SERVICE)
    assert "cannot be reached" in (await guardian.status(fleet["h2"]))["executor"]


async def test_it_is_shut_in_as_far_as_its_work_allows(host: Host) -> None:
    done = await host.exec("systemd-analyze", "security", "--threshold=40", "--no-pager", SERVICE)
    assert done.ok, done.out


async def test_the_units_are_sound(host: Host) -> None:
    files = [f"/usr/lib/systemd/system/{unit}" for unit in (SERVICE, SOCKET)]
    done = await host.exec("systemd-analyze", "verify", *files)
    assert (done.code, done.out + done.err) == (0, "")
