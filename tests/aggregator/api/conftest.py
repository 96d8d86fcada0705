"""A store with a small story in it, and the API that serves it at a fixed time."""

import pytest
from tests.aggregator.api import rows
from tests.aggregator.api.rows import NOW, ago

from guardian_aggregator.api import make_application
from guardian_aggregator.model import ExecutionRow, GapRow, IncidentRow, PageRow, SelfHealthRow, TransitionRow
from guardian_aggregator.store.projection import (
    count,
    put_execution,
    put_gap,
    put_incident,
    put_page,
    put_self_health,
    put_transition,
)


@pytest.fixture
async def put(store):
    """Stores rows of any kind, as their records would."""

    def write(connection, row):
        match row:
            case IncidentRow():
                put_incident(connection, row)
            case ExecutionRow():
                put_execution(connection, row)
            case PageRow():
                put_page(connection, row)
            case TransitionRow():
                put_transition(connection, row)
            case SelfHealthRow():
                put_self_health(connection, row)
            case GapRow():
                count(connection, put_gap(connection, 1, row))

    async def put_all(*given):
        for row in given:
            await store.write(lambda connection, row=row: write(connection, row))

    return put_all


@pytest.fixture
async def client(queries, aiohttp_client):
    return await aiohttp_client(make_application(queries, now_ns=lambda: NOW))


@pytest.fixture
def get(client):
    """The JSON that a path answers, and nothing else than 200."""

    async def ask(path, **parameters):
        response = await client.get(path, params=parameters)
        assert response.status == 200, await response.text()
        return await response.json()

    return ask


@pytest.fixture
async def story(store, put):
    """Two hosts, an hour of trouble: what every number of the tests is computed from by hand.

    Counted in the last 24 h: port_not_listening healed in 2 s and again in 4 s, http_error fixed by hand in 300 s,
    process_crashed gone by itself in 10 s, link_down open for 500 s. Not counted: one explained, one held. Older: one.
    """
    restart = rows.playbook("restart_component", heals=("port_not_listening",), counts=(4, 2, 1))
    diagnose = rows.playbook("diagnose_network", tier=0)
    await store.greet(rows.hello("web-1", {"site": "ams", "role": "web"}, [restart, diagnose]), ago(7200))
    await store.greet(rows.hello("web-2", {"site": "fra"}, [rows.playbook("restart_component", tier=2)]), ago(7100))
    await store.parted("web-2", ago(3700))
    await put(
        rows.incident("i1", "port_not_listening", ago(3600), 2, "auto", recovered_by="restart_component"),
        rows.incident("i2", "port_not_listening", ago(1800), 4, "auto", recovered_by="restart_component"),
        rows.incident("i3", "http_error", ago(1200), 300, "manual", layer=7, recovered_by="operator"),
        rows.incident("i4", "process_crashed", ago(900), 10, "spontaneous", layer=8, recovered_by="systemd"),
        rows.incident("i5", "link_down", ago(500), target="eth0", layer=1, exhausted=True),
        rows.incident("i6", "connection_timeout", ago(490), explained_by="i5"),
        rows.incident("i7", "service_failed", ago(480), 60, "manual", held=True),
        rows.incident("i8", "http_error", ago(2 * 86_400), 50, "auto", layer=7, agent_id="web-2"),
        rows.execution("e1", "i1", "restart_component", "healed", ago(3599)),
        rows.execution("e2", "i2", "restart_component", "ineffective", ago(1799)),
        rows.execution("e3", "i2", "restart_component", "healed", ago(1797), rung=1),
        rows.execution("e4", "i3", "restart_service", "stuck", ago(1190), issue_type="http_error"),
        rows.execution("e5", "i3", "diagnose_network", "completed", ago(1189), issue_type="http_error"),
        rows.execution("e6", "i5", "restart_component", None, ago(5), issue_type="link_down"),
        rows.execution("e7", "i4", "restart_component", "dry_run", ago(890), issue_type="process_crashed"),
        rows.execution("e8", "i8", "restart_service", "healed", ago(2 * 86_400 - 1), agent_id="web-2"),
        rows.page("p1", "i5", ago(400)),
        rows.self_health("web-1", ago(90), looks=1),
        rows.self_health("web-1", ago(30)),
        rows.transition("web-1", "l1_carrier", 1, "failing", ago(500), "link_down"),
        rows.transition("web-1", "l4_listen", 4, "ok", ago(1790)),
        rows.transition("web-1", "l7_http", 7, "unknown", ago(1000)),
        rows.transition("web-2", "l5_session", 5, "ok", ago(4000)),
    )
