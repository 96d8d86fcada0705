"""A host and its router in network namespaces."""

import os
from collections.abc import Iterator

import pytest
from tests.agent.host.wire import Wire


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
