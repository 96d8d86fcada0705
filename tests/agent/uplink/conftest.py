"""A state, and aggregators that end with their test."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.agent.state.samples import Clock
from tests.agent.uplink.aggregators import Aggregator

from guardian_agent.state import State
from guardian_agent.uplink import encode


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[State]:
    state = await State.open(tmp_path / "state", encode, Clock(), reserve_bytes=0)
    yield state
    await state.close()


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Aggregator], object]]:
    started: list[Aggregator] = []

    async def start(aggregator: Aggregator, port: int = 0) -> str:
        started.append(aggregator)
        return await aggregator.start(port=port)

    yield start
    for aggregator in started:
        await aggregator.stop()
