"""Hosts that are broken at random, again and again: everything comes back, and nothing of it is lost or told twice."""

import asyncio
import os
import random
import time

import pytest
from tests.bed.fleet import Fleet
from tests.bed.guardian import Guardian
from tests.bed.host import Host
from tests.bed.ledger import AT_ONCE, assert_nothing_lost
from tests.bed.watch import Outage, watching

MINUTES = float(os.environ.get("GUARDIAN_SOAK_MINUTES", "10"))
SIGNALS = ("KILL", "STOP")
PAUSE_S = (1.0, 8.0)


async def _break_again_and_again(host: Host, guardian: Guardian, chance: random.Random, until_s: float) -> list[Outage]:
    """Faults until it is time; the outages that a client on the hub saw."""
    async with watching(guardian.fleet.hub, f"http://{host.address}/") as watch:
        while time.monotonic() < until_s:
            await guardian.all_good(host, within_s=60.0)
            await asyncio.sleep(chance.uniform(*PAUSE_S))
            await host.must("systemctl", "kill", f"--signal={chance.choice(SIGNALS)}", "nginx")
            bad = await watch.wait_bad()
            await watch.wait_good(after=bad.asked, within_s=60.0)
        await guardian.all_good(host, within_s=60.0)
        return watch.outages()


@pytest.mark.soak
async def test_every_fault_is_healed_and_each_is_told_once() -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    async with Fleet.booted("h1", "h2") as fleet:
        guardian = await Guardian.on(fleet)
        await guardian.start_aggregator()
        for host in fleet.agents:
            await guardian.start_agent(host, agent={"actions_per_hour": 100_000}, extra=AT_ONCE)
        until_s = time.monotonic() + 60 * MINUTES
        outages = await asyncio.gather(
            *(
                _break_again_and_again(host, guardian, random.Random(seed + number), until_s)
                for number, host in enumerate(fleet.agents)
            )
        )
        for host, seen in zip(fleet.agents, outages, strict=True):
            told = await assert_nothing_lost(guardian, host)
            incidents = [each for each in told.incidents if each["owner_probe"]]
            assert len(incidents) == len(seen), f"{host.name}: {len(incidents)} incidents, {len(seen)} outages"
            assert {each["resolution"] for each in incidents} == {"auto"}
        stats = await guardian.get("/api/guardian/stats")
        assert stats["auto_heal_ratio"] == 1.0
        print(f"{stats['count']} incidents, mttr {stats['mttr_seconds']} s, p99 {stats['p99']} s")
