"""Fleets large and small: how many hosts one machine bears, how they share it, and that each begins anew."""

import asyncio
import time

import pytest
from tests.bed.fleet import Fleet
from tests.bed.host import Host

MANY = 40
MANY_UP_S = 30.0


async def state(host: Host) -> str:
    return (await host.exec("systemctl", "is-system-running")).out.strip()


async def test_two_fleets_at_once_do_not_meet(bed: None) -> None:
    async with Fleet.booted("h1") as one, Fleet.booted("h1") as two:
        assert one["h1"].address == two["h1"].address
        await one["h1"].write_file("/var/www/html/whose", "one")
        await two["h1"].write_file("/var/www/html/whose", "two")
        for fleet, whose in ((one, "one"), (two, "two")):
            assert await fleet.hub.must("curl", "-sS", f"http://{fleet['h1'].address}/whose") == whose
        await one.down()
        assert [await state(host) for host in two.hosts.values()] == ["running"] * 2
    assert not any(run.logs.exists() or run.scratch.exists() for run in (one.run, two.run))


async def test_two_fleets_boot_at_the_same_time(bed: None) -> None:
    fleets = await asyncio.gather(Fleet.up(2), Fleet.up(2))
    try:
        for fleet in fleets:
            assert list(fleet.hosts) == ["hub", "h1", "h2"]
            assert [await state(host) for host in fleet.hosts.values()] == ["running"] * 3
    finally:
        await asyncio.gather(*(fleet.down() for fleet in fleets))


@pytest.mark.parametrize("time_", ["first", "second"])
async def test_a_fresh_fleet_knows_nothing_of_the_test_before(fresh_fleet: Fleet, time_: str) -> None:
    assert not (await fresh_fleet["h1"].exec("test", "-e", "/srv/mark")).ok
    await fresh_fleet["h1"].write_file("/srv/mark", time_)


@pytest.mark.full
async def test_forty_hosts_boot_in_half_a_minute(bed: None) -> None:
    began = time.monotonic()
    fleet = await Fleet.up(MANY)
    try:
        up_s = time.monotonic() - began
        assert [await state(host) for host in fleet.hosts.values()] == ["running"] * (MANY + 1)
    finally:
        began = time.monotonic()
        await fleet.down()
    print(f"{MANY} hosts and a hub: up in {up_s:.1f} s, down in {time.monotonic() - began:.1f} s")
    assert up_s < MANY_UP_S
