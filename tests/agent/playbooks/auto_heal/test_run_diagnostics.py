import asyncio

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import WEB, nginx
from tests.agent.playbooks.situations import saw, situation
from tests.agent.playbooks.test_redaction import JWT, PEM, PLACES, SECRET

from guardian_agent.errors import ProbeError
from guardian_agent.host import ProcessUse
from guardian_agent.host.questions import ReadJournal, ReadKernelMessages
from guardian_agent.playbooks.auto_heal.run_diagnostics import RunDiagnostics
from guardian_agent.playbooks.base import Beside


def host_that_tells(*journal: str) -> FakeHost:
    host = FakeHost()
    nginx(host)
    host.answers[ReadJournal] = journal
    host.answers[ReadKernelMessages] = ("2026-11-25T05:01:49+0000 h1 kernel: eth0: link becomes ready",)
    return host


async def test_it_tells_of_everything_that_one_would_ask_for_and_changes_nothing() -> None:
    host = host_that_tells("2026-11-25T05:01:49+0000 h1 nginx[7]: bind() to 0.0.0.0:80 failed")
    plan = await RunDiagnostics().plan(situation(WEB, "payload_broken", looks={"l6_payload": saw(False)}), host)
    assert plan.steps == () and host.done == []
    told = plan.findings["sections"]
    assert set(told) == {
        *("looks", "units", "network", "sockets", "processes", "pressure", "disks"),
        *("journal nginx.service", "journal kernel"),
    }
    assert told["journal nginx.service"][0].endswith("bind() to 0.0.0.0:80 failed")
    assert (plan.findings["issue_type"], plan.findings["owner_probe"]) == ("payload_broken", "host_unit")
    assert plan.findings["sentence"].startswith("A picture of the host: ") and "not_read" not in plan.findings


async def test_no_secret_of_any_kind_gets_into_it() -> None:
    planted = [place.format(SECRET) for place in PLACES]
    host = host_that_tells(*planted, *PEM, f"got {JWT}", "uses AKIAIOSFODNN7EXAMPLE")
    host.answers[ReadKernelMessages] = ProbeError(f"journalctl: token={SECRET}")
    host.files.contents["/etc/resolv.conf"] = f"# password={SECRET}\nnameserver 198.18.0.1\n"
    argv = ("app", "--password", SECRET, f"--api-key={SECRET}", f"https://bob:{SECRET}@h/")
    host.processes.greedy = [ProcessUse(pid=7, name="app", argv=argv, status="S", cpu_percent=0.0, resident_bytes=1)]
    looks = {"l7_command": saw(False, output=f"secret is {SECRET}")}
    whole = str((await RunDiagnostics().plan(situation(WEB, looks=looks), host)).findings)
    for secret in (SECRET, JWT, PEM[1], PEM[2], "AKIAIOSFODNN7EXAMPLE"):
        assert secret not in whole
    assert "nameserver 198.18.0.1" in whole


@pytest.mark.parametrize("most", [4096, 16_384, 65_536])
async def test_it_is_no_larger_than_max_bytes_and_keeps_the_newest(most: int) -> None:
    host = host_that_tells(*(f"2026-11-25T05:01:49+0000 h1 nginx[7]: line {n} {'x' * 300}" for n in range(1000)))
    findings = (await RunDiagnostics(max_bytes=most).plan(situation(WEB), host)).findings
    assert len(msgspec.json.encode(findings)) <= most
    journal = findings["sections"]["journal nginx.service"]
    assert " line 999 " in journal[-1] and "lines are left out" in findings["cut"]["journal nginx.service"]


async def test_what_cannot_be_read_is_named_and_keeps_nothing_else_back() -> None:
    host = FakeHost()
    nginx(host)
    host.kernel.unreadable = "no /proc"
    findings = (await RunDiagnostics().plan(situation(WEB), host)).findings
    assert findings["not_read"]["pressure"] == "no /proc"
    assert "nobody here is root" in findings["not_read"]["journal nginx.service"]
    which = "pressure, journal kernel, journal nginx.service"
    assert findings["sections"]["units"] and findings["sentence"].endswith(f"; 3 could not be read ({which}).")


async def test_a_subject_that_never_answers_costs_its_own_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    host = host_that_tells("fine")

    async def never(most: int) -> list[ProcessUse]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(host.processes, "busiest", never)
    began_s = asyncio.get_running_loop().time()
    findings = (await RunDiagnostics().plan(situation(WEB), host)).findings
    assert asyncio.get_running_loop().time() - began_s < RunDiagnostics.observes_within_s
    assert findings["not_read"] == {"processes": "not told within 6 s"} and findings["sections"]["disks"]


async def test_the_journals_of_failed_units_are_told_too() -> None:
    host = host_that_tells("it failed")
    host.unit("backup.service").crash()
    findings = (await RunDiagnostics().plan(situation(None, "upstream_unreachable"), host)).findings
    assert findings["sections"]["journal backup.service"] == ["it failed"]


def test_it_runs_beside_what_nobody_heals() -> None:
    assert RunDiagnostics.beside == Beside.UNHEALED
