"""Every coroutine below this folder that only meets a fake host runs in virtual time."""

from collections.abc import Callable, Mapping

from tests.agent.virtual_time import VirtualTimeLoop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], VirtualTimeLoop]]:
    return {"virtual time": VirtualTimeLoop}
