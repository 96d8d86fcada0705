"""The services' units on a real host: what sandbox and polkit let the agent do, seen by a stand-in."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.bed.fleet import Fleet
from tests.bed.host import Host
from tests.bed.product import VENV
from tests.bed.waiting import until

UNITS = ("guardian-agent.service", "guardian-aggregator.service")
AGGREGATOR = f"""#!{VENV}/bin/python
import os, socket, time
import aiohttp, apsw, grpc.aio, msgspec, numpy, uvloop
async def serve():
    server = grpc.aio.server()
    assert server.add_insecure_port("0.0.0.0:7443")
    await server.start()
    apsw.Connection(os.environ["STATE_DIRECTORY"] + "/try.db").execute("pragma journal_mode=wal").fetchall()
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    time.sleep(60)
uvloop.run(serve())
"""
STANDIN = Path(__file__).with_name("standin.py").read_text()
RULES = "/etc/polkit-1/rules.d"
RULE = """polkit.addRule(function(action, subject) {
  if (action.id == "org.freedesktop.systemd1.manage-units" && subject.user == "guardian"
      && action.lookup("unit") == "nginx.service" && VERBS.indexOf(action.lookup("verb")) >= 0)
    return polkit.Result.YES;
});
"""
CALLS = {
    "start": ("StartUnit", "ss", "nginx.service", "replace"),
    "stop": ("StopUnit", "ss", "nginx.service", "replace"),
    "restart": ("RestartUnit", "ss", "nginx.service", "replace"),
    "kill": ("KillUnit", "ssi", "nginx.service", "all", "9"),
    "reset-failed": ("ResetFailedUnit", "s", "nginx.service"),
    "reload": ("ReloadUnit", "ss", "nginx.service", "replace"),
}
REFUSED = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"


async def allow(host: Host, *verbs: str) -> None:
    """Puts a rule in place the way that is safe against a crash, and waits until polkitd has read it."""
    await host.write_file(f"{RULES}/.60-guardian.rules.new", RULE.replace("VERBS", json.dumps(verbs)))
    await host.must("mv", f"{RULES}/.60-guardian.rules.new", f"{RULES}/60-guardian.rules")
    await asyncio.sleep(0.1)


async def granted(host: Host, verb: str) -> bool:
    """Whether user guardian may do that to nginx, which runs again afterwards."""
    user = ("setpriv", "--reuid=guardian", "--regid=guardian", "--clear-groups")
    manager = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
    done = await host.exec(*user, "busctl", "call", *manager, *CALLS[verb])
    await host.must("sh", "-c", "systemctl reset-failed nginx; systemctl restart nginx")
    return done.ok


async def test_the_units_are_sound(fleet: Fleet) -> None:
    done = await fleet["h1"].exec("systemd-analyze", "verify", *(f"/usr/lib/systemd/system/{unit}" for unit in UNITS))
    assert (done.code, done.out + done.err) == (0, "")


@pytest.mark.parametrize("unit", UNITS)
async def test_the_units_are_shut_in(fleet: Fleet, unit: str) -> None:
    """Monit's and nginx's own units score 9.6 of 10, node-exporter's 9.2."""
    done = await fleet["h1"].exec("systemd-analyze", "security", "--threshold=25", "--no-pager", unit)
    assert done.ok, done.out


async def test_the_configuration_is_roots(fleet: Fleet) -> None:
    assert (await fleet["h1"].must("stat", "-c", "%U %a", "/etc/guardian")).strip() == "root 755"


@pytest.mark.parametrize("verb", CALLS)
async def test_polkit_knows_the_verb_by_its_name(fleet: Fleet, verb: str) -> None:
    await allow(fleet["h2"], verb)
    assert [other for other in CALLS if await granted(fleet["h2"], other)] == [verb]


async def test_the_sandbox_allows_what_the_agent_needs_and_no_more(fleet: Fleet) -> None:
    h1 = fleet["h1"]
    await allow(h1, "start", "stop", "restart", "kill", "reset-failed")
    await h1.must("rm", "/usr/bin/guardian-agent")
    await h1.write_file("/usr/bin/guardian-agent", f"#!{VENV}/bin/python\n{STANDIN}", mode="0755")
    await h1.must("systemctl", "start", "guardian-agent")

    async def told() -> dict[str, object] | None:
        said = await h1.must("journalctl", "-u", "guardian-agent", "--output=cat", "--no-pager")
        lines = [line for line in said.splitlines() if line.startswith("{")]
        return json.loads(lines[0]) if lines else None

    found = await until(told, "the stand-in has looked", within_s=15)
    works = ("import_dependencies", "port_owner", "pidfd", "raw_icmp", "write_state")
    calls = ("subscribe", "restart", "kill", "reset_failed", "start")
    assert found == {
        **dict.fromkeys((*works, *calls), True),
        "write_configuration": "OSError",
        "write_elsewhere": "OSError",
        "reload": REFUSED,
        "restart_another": REFUSED,
    }
    assert (await h1.must("systemctl", "show", "-P", "StatusErrno", "guardian-agent")).strip() == "0"
    assert (await h1.must("ps", "-o", "user=", "-C", "guardian-agent")).split() == ["guardian"]


async def test_the_aggregators_sandbox_bears_its_dependencies(fleet: Fleet) -> None:
    hub = fleet.hub
    await hub.must("rm", "/usr/bin/guardian-aggregator")
    await hub.write_file("/usr/bin/guardian-aggregator", AGGREGATOR, mode="0755")
    started = await hub.exec("systemctl", "start", "guardian-aggregator")
    assert started.ok, await hub.journal("guardian-aggregator")
    assert (await hub.must("ps", "-o", "user:32=", "-C", "guardian-aggregator")).split() == ["guardian-aggregator"]
    assert (await hub.must("stat", "-c", "%U %a", "/var/lib/guardian-aggregator")).strip() == "guardian-aggregator 750"
