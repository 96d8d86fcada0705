"""A server of its own for each test."""

import pytest

from guardian_aggregator.ingest import FleetService, GrpcServer


@pytest.fixture
async def service(store):
    return FleetService(store, credit=50)


@pytest.fixture
async def address(service):
    server = GrpcServer(service, "127.0.0.1", 0, None)
    yield await server.start()
    await server.stop(0)
