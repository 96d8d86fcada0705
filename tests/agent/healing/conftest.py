"""Every coroutine below this folder runs in virtual time."""

from collections.abc import Callable, Mapping

import pytest
from tests.agent.virtual_time import VirtualTimeLoop

from guardian_agent.healing import engine


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], VirtualTimeLoop]]:
    return {"virtual time": VirtualTimeLoop}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that hangs is given up after two minutes instead of an hour: even virtual time costs its looks."""
    monkeypatch.setattr(engine, "STEP_LIMIT_S", 120.0)
