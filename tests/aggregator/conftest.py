"""A store of its own for each test, and the questions that are asked of it."""

import pytest

from guardian_aggregator.store import Queries, Store


@pytest.fixture
async def store(tmp_path):
    store = Store(tmp_path / "guardian.db")
    yield store
    store.close()


@pytest.fixture
async def queries(store):
    queries = Queries(store.path)
    yield queries
    queries.close()
