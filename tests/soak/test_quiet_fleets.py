"""Hosts that are well, and hosts that are only short of processors: nobody is called for what is not there."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from tests.bed.certificates import Authority
from tests.bed.fleet import Fleet
from tests.bed.guardian import Guardian
from tests.bed.host import Host
from tests.bed.verdicts import AGENT, declared
from tests.bed.waiting import until
from tests.bed.watch import Watch, watching
from tests.bed.workloads.workloads import run_everything
from tests.bench.numbers import most_that_often

HOSTS = int(os.environ.get("GUARDIAN_SOAK_HOSTS", "10"))
MINUTES = float(os.environ.get("GUARDIAN_SOAK_MINUTES", "30"))
STARVED_MINUTES = min(MINUTES, 5.0)
DAY_S = 86400.0
ASK_EVERY_S = 0.5
ASK_TIMEOUT_S = 1.0
HOG = "batch.service"
PRESSURE = ("cpu_pressure", "memory_pressure", "io_pressure")

Incident = Mapping[str, Any]


@dataclass
class Quiet:
    """A fleet on which nothing is broken, its clients, and since when it is watched."""

    guardian: Guardian
    watches: dict[str, Watch]
    since_s: float

    @property
    def hosts(self) -> list[Host]:
        return self.guardian.fleet.agents

    async def incidents(self) -> list[Incident]:
        """All that the aggregator has of all hosts, once it has everything that they have to tell."""
        for host in self.hosts:
            await self._told_all(host)
        return [incident for host in self.hosts for incident in await self.guardian.incidents(host)]

    async def _told_all(self, host: Host) -> None:
        async def has_told() -> bool:
            try:
                return bool((await self.guardian.status(host))["uplink"]["unacknowledged"] == 0)
            except ValueError:  # a starved host may not answer in time
                return False

        await until(has_told, f"{host.name} has told all", within_s=120.0, every_s=1.0)

    async def restarts(self) -> int:
        """How often systemd had to start an agent anew."""
        said = [await host.must("systemctl", "show", "--property=NRestarts", "--value", AGENT) for host in self.hosts]
        return sum(map(int, said))

    def report(self, incidents: Sequence[Incident], false: Sequence[Incident]) -> str:
        """The false alarms with their rate, and what clients saw meanwhile."""
        host_days = len(self.hosts) * (time.monotonic() - self.since_s) / DAY_S
        outages = sum(len(watch.outages()) for watch in self.watches.values())
        asked = sum(len(watch.samples()) for watch in self.watches.values())
        rate, bound = len(false) / host_days, most_that_often(len(false), host_days)
        lines = [
            f"{len(false)} false alarms in {host_days:.3f} host-days: "
            f"{rate:.2f} a host-day, and with 95 % not more than {bound:.1f}",
            f"{len(incidents)} incidents, {outages} outages in {asked} answers of clients",
            *map(told, incidents),
        ]
        return "\n".join(lines)


def told(incident: Incident) -> str:
    words = ("host", "target", "issue_type", "owner_probe", "explained_by", "detected_at", "evidence")
    return " ".join(str(incident.get(word)) for word in words)


def false_alarms(incidents: Sequence[Incident]) -> list[Incident]:
    """On hosts that are short of processors: all but that very incident, and what it accounts for."""
    by_id = {incident["id"]: incident for incident in incidents}

    def root(incident: Incident) -> Incident:
        explainer = by_id.get(incident["explained_by"])
        return incident if explainer is None else root(explainer)

    def is_pressure(incident: Incident) -> bool:
        return str(incident["target"]).startswith("host:") and incident["issue_type"] in PRESSURE

    return [incident for incident in incidents if not is_pressure(root(incident))]


@contextlib.asynccontextmanager
async def quiet_fleet(**agent: object) -> AsyncIterator[Quiet]:
    """Hosts with every workload, an agent on each that has learned what is good, and a client asking each."""
    async with Fleet.booted(HOSTS) as fleet, contextlib.AsyncExitStack() as clients:
        guardian = await Guardian.on(fleet)
        await guardian.start_aggregator()
        authority = await Authority.create(fleet.run.logs / "site-ca")
        watches = {}
        since_s = time.monotonic()
        for host in fleet.agents:
            await run_everything(fleet, host, authority)
            await guardian.start_agent(host, components=await declared(host, fleet.hub), agent=agent)
        for host in fleet.agents:
            await guardian.all_good(host, within_s=120.0)
            client = watching(
                fleet.hub, f"http://{host.address}:8080/", interval_s=ASK_EVERY_S, timeout_s=ASK_TIMEOUT_S
            )
            watches[host.name] = await clients.enter_async_context(client)
        yield Quiet(guardian, watches, since_s)


@pytest.mark.soak
async def test_hosts_that_are_well_open_no_incident() -> None:
    async with quiet_fleet() as quiet:
        await asyncio.sleep(60 * MINUTES)
        incidents = await quiet.incidents()
        report = quiet.report(incidents, incidents)
        print(report)
        assert not incidents, report
        assert await quiet.restarts() == 0


@pytest.mark.soak
@pytest.mark.parametrize("weight", [100, 10_000])
async def test_hosts_short_of_processors_open_that_incident_and_no_other(weight: int) -> None:
    """A hog with as much weight as each of the services, or with a hundred times that, on every host."""
    async with quiet_fleet(mode="observe") as quiet:
        hog = ["systemd-run", "--quiet", "--collect", f"--unit={HOG}", f"--property=CPUWeight={weight}"]
        for host in quiet.hosts:
            await host.must(*hog, "stress-ng", "--quiet", "--cpu", "4")
        await asyncio.sleep(60 * STARVED_MINUTES)
        for host in quiet.hosts:
            await host.must("systemctl", "stop", HOG, timeout_s=90)
        incidents = await quiet.incidents()
        false = false_alarms(incidents)
        report = quiet.report(incidents, false)
        print(report)
        assert not false, report
        assert await quiet.restarts() == 0
