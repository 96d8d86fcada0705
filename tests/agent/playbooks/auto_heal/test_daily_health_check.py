from collections.abc import Mapping, Sequence

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_machine import ROOT
from tests.agent.healing.scene import WEB
from tests.agent.playbooks.situations import NOW, situation
from tests.agent.playbooks.test_redaction import SECRET

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import KnownGood
from guardian_agent.playbooks.auto_heal.daily_health_check import DailyHealthCheck
from guardian_agent.playbooks.base import Beside
from guardian_agent.playbooks.checkup import Checked, Preview

CERTIFICATE = Checked(
    probe="l6_certificate", target="web", ok=True, evidence={"file": "/etc/site.pem", "days_left": 12.5}
)
GONE = Checked(probe="l4_listen", target="web", ok=False, issue_type="port_not_listening", finding="nobody listens")
UNTOLD = Checked(probe="host_clock", target="host:clock", ok=None, finding="not permitted")
WOULD = Preview(playbook="restart_service", target="web", issue_type="service_failed", steps=("systemctl start web",))
REFUSED = Preview(playbook="restart_kernel", target="web", issue_type="heartbeat_lost", refusal="it does not beat")


class Checkup:
    """What the whole host says."""

    def __init__(self, *looks: Checked, previews: Sequence[Preview] = (), broken: str = "") -> None:
        self._looks = looks
        self._previews = previews
        self._broken = broken

    async def looks(self) -> Sequence[Checked]:
        return self._looks

    async def previews(self) -> Sequence[Preview]:
        return self._previews

    async def integrity(self) -> Mapping[str, str]:
        return {"outbox": self._broken}


def well() -> FakeHost:
    host = FakeHost()
    host.known.good = KnownGood(learned_at=NOW, uplink="host0")
    return host


async def report(host: FakeHost, checkup: Checkup, **keys: object) -> dict[str, object]:
    asked = msgspec.structs.replace(situation(None, ""), checkup=checkup)
    plan = await DailyHealthCheck(**keys).plan(asked, host)  # type: ignore[arg-type]
    assert plan.steps == () and host.done == []
    return plan.findings


async def test_a_host_that_is_well_has_no_problems() -> None:
    found = await report(well(), Checkup(CERTIFICATE, UNTOLD, previews=[WOULD, REFUSED]))
    assert (found["sentence"], found["problems"]) == ("No problems: 1 of 2 looks are good.", [])
    assert found["looks"] == {"good": 1, "bad": 0, "unknown": 1}
    assert found["sections"] == {
        "looks": ["host:clock: cannot tell, seen by host_clock: not permitted"],
        "certificates": ["web: 12.5 days left, /etc/site.pem"],
        "failed units": [],
        "would be done": ["restart_service for web, if service_failed: systemctl start web"],
        "refused": ["restart_kernel for web, if heartbeat_lost: it does not beat"],
        "disks": [f"/ (ext4): 6442 MB of 10737 MB available, {ROOT.inodes_available} of {ROOT.inodes} inodes"],
        "integrity": ["outbox: good"],
    }


async def test_each_kind_of_problem_is_told() -> None:
    host = FakeHost()
    host.unit("backup.service").crash()
    found = await report(host, Checkup(GONE, broken="record 3 does not follow from those before it"))
    assert found["problems"] == [
        "web: port_not_listening, seen by l4_listen: nobody listens",
        "backup.service has failed",
        "outbox: record 3 does not follow from those before it",
        "nothing is known yet of what this host is like when all is good",
    ]
    assert str(found["sentence"]).startswith("4 problems: web: port_not_listening, seen by l4_listen")


async def test_what_was_never_good_here_is_no_problem() -> None:
    found = await report(well(), Checkup(msgspec.structs.replace(GONE, counts=False)))
    assert found["problems"] == [] and "never good on this host" in str(found["sections"])


async def test_a_systemd_that_does_not_answer_is_a_problem_and_no_end() -> None:
    host = well()
    host.units.unreachable = "no bus"
    assert (await report(host, Checkup()))["problems"] == ["which units have failed cannot be told: no bus"]


async def test_it_is_no_larger_than_max_bytes_and_has_no_secrets() -> None:
    many = [msgspec.structs.replace(WOULD, steps=(f"run --token {SECRET} {n}" * 5,)) for n in range(500)]
    found = await report(
        well(), Checkup(msgspec.structs.replace(GONE, finding=f"password={SECRET}"), previews=many), max_bytes=8192
    )
    assert len(msgspec.json.encode(found)) <= 8192 and "would be done" in str(found["cut"])
    assert SECRET not in str(found)


async def test_beside_an_incident_it_says_that_it_is_about_none() -> None:
    with pytest.raises(CannotPlanError, match="about no incident"):
        await DailyHealthCheck().plan(situation(WEB), FakeHost())
    assert DailyHealthCheck.beside == Beside.SCHEDULE


@pytest.mark.parametrize("at", ["3:30", "24:00", "noon", "03:60", "03:30:00"])
def test_a_time_that_is_none_is_refused(at: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"at": at}, DailyHealthCheck)
