"""A renewal that makes a wrong certificate, on a real host: what was there before is there again."""

from typing import Any

import pytest
from tests.bed.faults.fault import Scene
from tests.bed.guardian import Guardian
from tests.bed.verdicts import declared, lay_down_programs, leave
from tests.bed.waiting import until

SITE = ("/etc/nginx/tls/site.pem", "/etc/nginx/tls/site.key")
OLD = "1700000000"  # a date at which the secret is long due
SOON = "[probes.host_secret]\ninterval_s = 1.0\n"
# For another name than clients ask for, and of nobody's authority; the second time there is none.
WRONG_CERTIFICATE = """#!/bin/sh -e
mkdir /run/asked-before
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=elsewhere \\
  -keyout "$GUARDIAN_SECRET_NEW_KEY" -out "$GUARDIAN_SECRET_NEW"
"""


async def pictured(scene: Scene) -> tuple[str, str]:
    """The files' hashes, owners and modes."""
    stat = await scene.host.must("stat", "--format=%n %u %g %a", *SITE)
    return stat, await scene.host.must("sha256sum", *SITE)


async def serves(scene: Scene) -> bool:
    """Whether a client that trusts the authority gets the page."""
    page = f"https://{scene.host.address}/"
    return (await scene.hub.exec("curl", "-sfo", "/dev/null", "--cacert", "/etc/ssl/bed-ca.pem", page)).ok


async def attempt(scene: Scene, guardian: Guardian) -> dict[str, Any]:
    """The first execution of rotate_secrets, once it is over."""

    async def over() -> dict[str, Any] | None:
        executions = (await guardian.status(scene.host))["recent_executions"]
        ours = [each for each in executions if each["playbook"] == "rotate_secrets" and each["outcome"]]
        return min(ours, key=lambda each: int(each["started_at"]["boottime_ns"]), default=None)

    found = await until(over, "rotate_secrets was tried", within_s=60.0)
    assert found is not None
    return found


@pytest.mark.full
async def test_a_certificate_that_does_not_prove_itself_is_taken_back(scene: Scene, guardian: Guardian) -> None:
    await lay_down_programs(scene.host, scene.authority)
    await scene.host.write_file("/usr/local/bin/new-certificate", WRONG_CERTIFICATE, mode="0755")
    await scene.host.must("chmod", "0640", SITE[1])
    before = await pictured(scene)
    components = await declared(scene.host, scene.hub)
    await guardian.start_agent(
        scene.host, components=components, extra=SOON + leave(), agent={"actions_per_hour": 1000}
    )
    await guardian.all_good(scene.host)
    await scene.host.must("touch", "--date", f"@{OLD}", SITE[0])
    tried = await attempt(scene, guardian)
    assert tried["outcome"] == "rolled_back" and "check /etc/nginx/tls/site.pem" in tried["reason"], tried
    assert [step["state"] for step in tried["steps"]] == ["undone", "applied", "failed"]
    assert await pictured(scene) == before
    assert (await scene.host.must("stat", "--format=%Y", SITE[0])).strip() == OLD
    assert await serves(scene)
    kept = await scene.host.must("find", "/var/lib/guardian-executor/aside/secrets", "-printf", "%y %m %u %f\\n")
    assert {tuple(line.split()[:3]) for line in kept.splitlines()} == {("d", "700", "root"), ("f", "600", "root")}
