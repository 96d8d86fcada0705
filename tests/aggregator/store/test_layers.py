import pytest
from tests.aggregator.api import rows
from tests.aggregator.api.rows import NOW, ago
from tests.aggregator.store.rollups.test_settle import fresh

from guardian_aggregator.store import Filter
from guardian_aggregator.store.layers import LayerCounts, failing_conditions, layer_counts
from guardian_aggregator.store.projection import put_transition


@pytest.fixture
def connection(tmp_path):
    """web-1 is heard and has two failing and one good condition; web-2 is silent; of web-9 there is no Hello."""
    connection = fresh(tmp_path / "guardian.db")
    connection.execute("UPDATE agents SET connected = 1 WHERE agent_id = 'web-1'")
    for agent_id, probe, layer, state in (
        ("web-1", "l4_listen", 4, "failing"),
        ("web-1", "l4_accept", 4, "failing"),
        ("web-1", "l4_owner", 4, "ok"),
        ("web-1", "l7_http", 7, "unknown"),
        ("web-2", "l4_listen", 4, "failing"),
        ("web-2", "l5_session", 5, "ok"),
        ("web-9", "l4_listen", 4, "ok"),
    ):
        put_transition(connection, rows.transition(agent_id, probe, layer, state, ago(100), "port_not_listening"))
    yield connection
    connection.close()


def test_hosts_and_conditions_of_each_layer_are_counted(connection):
    assert layer_counts(connection, Filter(), NOW) == {
        4: LayerCounts(hosts=3, hosts_failing=1, hosts_ok=1, hosts_silent=1, conditions=5, failing=2, ok=2),
        5: LayerCounts(hosts=1, hosts_failing=0, hosts_ok=0, hosts_silent=1, conditions=1, failing=0, ok=0),
        7: LayerCounts(hosts=1, hosts_failing=0, hosts_ok=0, hosts_silent=0, conditions=1, failing=0, ok=0),
    }


def test_a_filter_narrows_and_a_window_does_not(connection):
    assert set(layer_counts(connection, Filter(host="web-2", since_ns=NOW), NOW)) == {4, 5}
    assert set(layer_counts(connection, Filter(layer=7), NOW)) == {7}


def test_what_fails_is_named_in_order_and_no_silent_hosts(connection):
    assert [row.probe for row in failing_conditions(connection, Filter(), NOW, 4, 9)] == ["l4_accept", "l4_listen"]
    (first,) = failing_conditions(connection, Filter(), NOW, 4, 1)
    assert (first.agent_id, first.target, first.issue_type) == ("web-1", "web", "port_not_listening")
    assert failing_conditions(connection, Filter(), NOW, 5, 9) == []
