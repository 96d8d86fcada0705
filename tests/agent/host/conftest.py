"""A host and its router in network namespaces, and a machine whose systemd is a dictionary."""

import os
from collections.abc import Iterator

import pytest
from tests.agent.host.fake_systemd import fake_systemd
from tests.agent.host.wire import Wire

from guardian_agent.host.units import LocalUnits


@pytest.fixture
def wire() -> Iterator[Wire]:
    if os.geteuid() != 0:
        pytest.skip("makes network namespaces, so needs root")
    made = Wire()
    try:
        made.create()
        yield made
    finally:
        made.delete()


@pytest.fixture
async def machine(tmp_path):
    async with fake_systemd(tmp_path) as (bus, systemd):
        systemd.add("web.service")
        yield bus, systemd


@pytest.fixture
def systemd(machine):
    return machine[1]


@pytest.fixture
async def units(machine):
    units = LocalUnits(machine[0].address)
    yield units
    await units.close()
