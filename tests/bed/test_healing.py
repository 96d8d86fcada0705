"""nginx breaks on a real host, and a client on the hub is the judge of whether it came back."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.bed.fleet import Fleet
from tests.bed.guardian import Guardian
from tests.bed.truth import assert_inside
from tests.bed.waiting import until
from tests.bed.watch import Outage, Watch, watching


class Story:
    """One fault on h1, as the client on the hub and the aggregator tell it."""

    def __init__(self, guardian: Guardian, watch: Watch, known: set[str]) -> None:
        self.guardian = guardian
        self.host = guardian.fleet["h1"]
        self.watch = watch
        self._known = known

    async def outage(self) -> Outage:
        """Waits for the client's outage to begin and to end."""
        bad = await self.watch.wait_bad()
        await self.watch.wait_good(after=bad.asked, within_s=30.0)
        return self.watch.outages()[0]

    async def new_incidents(self) -> list[dict[str, Any]]:
        every = await self.guardian.incidents(self.host)
        return [incident for incident in every if incident["id"] not in self._known]

    async def closed_incident(self) -> dict[str, Any]:
        """The one incident of this story, once it is closed."""

        async def closed() -> list[dict[str, Any]]:
            return [incident for incident in await self.new_incidents() if incident["closed_at"]]

        (incident,) = await until(closed, "the incident is closed", within_s=30.0)
        return incident

    async def executions(self, incident: dict[str, Any]) -> list[tuple[str, str]]:
        """(playbook, outcome) of what was tried for it, oldest first, without the diagnosis beside it."""
        answer = await self.guardian.get(f"/api/guardian/incidents/{incident['id']}")
        tried = sorted(answer["executions"], key=lambda execution: str(execution["started_at"]))
        return [(each["playbook"], each["outcome"]) for each in tried if each["outcome"] != "completed"]


@pytest.fixture
async def story(fleet: Fleet, guardian: Guardian) -> AsyncIterator[Story]:
    await guardian.all_good(fleet["h1"])
    known = {incident["id"] for incident in await guardian.incidents(fleet["h1"])}
    async with watching(fleet.hub, f"http://{fleet['h1'].address}/", interval_s=0.02) as watch:
        yield Story(guardian, watch, known)


def assert_the_truth(incident: dict[str, Any], outage: Outage) -> None:
    """What the aggregator says of the outage is what the client saw."""
    assert_inside(incident, outage, interval_s=0.5, timeout_s=0.25)  # as NGINX is configured


async def test_a_killed_nginx_serves_again(story: Story) -> None:
    await story.host.must("systemctl", "kill", "--signal=KILL", "nginx")
    outage = await story.outage()
    incident = await story.closed_incident()
    assert (incident["issue_type"], incident["resolution"]) == ("service_failed", "auto")
    assert await story.executions(incident) == [("restart_service", "healed")]
    assert_the_truth(incident, outage)


async def test_a_frozen_nginx_serves_again(story: Story) -> None:
    await story.host.must("systemctl", "kill", "--signal=STOP", "nginx")
    outage = await story.outage()
    incident = await story.closed_incident()
    assert (incident["issue_type"], incident["resolution"]) == ("service_hung", "auto")
    assert await story.executions(incident) == [("restart_service", "healed")]
    assert_the_truth(incident, outage)


async def test_when_the_first_restart_fails_the_next_rung_heals(story: Story) -> None:
    drop_in = """[Service]
ExecStartPre=
ExecStartPre=/bin/sh -c 'if [ -e /run/fail-once ]; then rm /run/fail-once; exit 1; fi'
"""
    await story.host.write_file("/etc/systemd/system/nginx.service.d/fail.conf", drop_in)
    await story.host.must("systemctl", "daemon-reload")
    try:
        await story.host.must("touch", "/run/fail-once")
        await story.host.must("systemctl", "kill", "--signal=KILL", "nginx")
        outage = await story.outage()
        incident = await story.closed_incident()
    finally:
        await story.host.must("rm", "-r", "/etc/systemd/system/nginx.service.d")
        await story.host.must("systemctl", "daemon-reload")
    assert incident["resolution"] == "auto"
    assert await story.executions(incident) == [("restart_service", "rolled_back"), ("restart_component", "healed")]
    assert_the_truth(incident, outage)


async def test_what_an_operator_stops_stays_stopped(story: Story) -> None:
    await story.host.must("systemctl", "stop", "nginx")
    await story.watch.wait_bad()
    await story.guardian.held(story.host, "web")
    assert (await story.host.exec("systemctl", "is-active", "nginx")).out.strip() == "inactive"
    assert await story.new_incidents() == []
    await story.host.must("systemctl", "start", "nginx")
    await story.guardian.all_good(story.host)
    assert await story.new_incidents() == []


async def test_a_package_upgrade_is_nobody_s_incident(story: Story) -> None:
    before = await story.host.must("systemctl", "show", "--property=InvocationID", "nginx")
    await story.host.must("sh", "-c", "dpkg -i /var/cache/bed/nginx*.deb", timeout_s=60)
    await story.guardian.all_good(story.host)
    after = await story.host.must("systemctl", "show", "--property=InvocationID", "nginx")
    assert before != after
    assert [await story.executions(incident) for incident in await story.new_incidents()] == []
