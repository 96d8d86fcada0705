"""Fixtures for tests on real hosts. All tests below this folder are marked `bed`."""

import asyncio
import os
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.bed.commands import CommandError
from tests.bed.faults.fault import Scene
from tests.bed.fleet import Fleet
from tests.bed.guardian import Guardian
from tests.bed.host import HostDownError
from tests.bed.requirements import obstacle

HERE = Path(__file__).parent
FLEETS = pytest.StashKey[Fleet]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.bed)


@pytest.fixture(scope="session")
def bed() -> None:
    """Skips the test with one line where hosts cannot be booted; fails it there when CI asks."""
    with runner() as running:
        line = running.run(obstacle())
    if line is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(line)


@pytest.fixture(scope="module")
def fleet(bed: None, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """A hub and two hosts, `h1` and `h2`, nginx running on these; one fleet for all tests of a file."""
    with runner() as running:
        booted = running.run(Fleet.up("h1", "h2"))
        request.node.stash[FLEETS] = booted
        try:
            yield booted
        finally:
            running.run(booted.down())


@pytest.fixture
async def fresh_fleet(bed: None, request: pytest.FixtureRequest) -> AsyncIterator[Fleet]:
    """Like `fleet`, but booted for this test alone, on overlays that nobody wrote to: for what cannot be put back."""
    async with Fleet.booted("h1", "h2") as booted:
        request.node.stash[FLEETS] = booted
        yield booted


@pytest.fixture(scope="module")
def scene(fleet: Fleet) -> Scene:
    """`h1` with every workload on it, and `h2` beside it; one for all tests of a file."""
    with runner() as running:
        return running.run(Scene.on(fleet))


@pytest.fixture(scope="module")
def guardian(fleet: Fleet) -> Guardian:
    """The aggregator on the hub, and an agent in heal mode on `h1` whose brakes are wide open."""
    with runner() as running:
        guardian = running.run(Guardian.on(fleet))
        running.run(guardian.start_aggregator())
        running.run(guardian.start_agent(fleet["h1"], agent={"actions_per_hour": 1000}))
        return guardian


def runner() -> "asyncio.Runner":
    """Runs a fixture's own coroutines; nothing of a fleet belongs to a loop, so the tests use theirs."""
    return asyncio.Runner(loop_factory=asyncio.new_event_loop)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Adds the end of every host's journal to the report of a test that failed."""
    report = yield
    stashes = [node.stash for node in item.listchain() if FLEETS in node.stash] if report.failed else []
    if stashes:
        with runner() as running:
            for host in (host for stash in stashes for host in stash[FLEETS].hosts.values()):
                try:
                    journal = running.run(host.journal(lines=60))
                except (HostDownError, CommandError) as error:
                    journal = f"{error}\n{host.console()}"
                report.sections.append((f"journal of {host.name}", journal))
    return report
