import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from tests.aggregator.api import rows
from tests.aggregator.api.rows import ago


async def samples(client):
    response = await client.get("/metrics")
    assert response.status == 200
    families = list(text_string_to_metric_families(await response.text()))
    each = (sample for family in families for sample in family.samples)
    return {(it.name, *(value for _, value in sorted(it.labels.items()))): it.value for it in each}, families


async def test_the_stores_numbers_are_told(story, put, client):
    await put(rows.gap("web-1", 5, 9, ago(60)))
    told, _ = await samples(client)
    assert told["guardian_agents", "connected"] == 1
    assert told["guardian_agents", "stale"] == 1
    assert told["guardian_incidents_open", "link_down"] == 1
    assert told["guardian_incidents_closed", "port_not_listening", "auto"] == 2
    assert told["guardian_incidents_recovery_seconds", "port_not_listening", "auto"] == 6
    assert told["guardian_executions_ended", "healed", "restart_component"] == 2
    assert told["guardian_lost_records_total", "outbox_full"] == 5


async def test_how_the_agents_fare_is_told_of_the_connected_ones_together(story, put, client):
    told, _ = await samples(client)
    assert (told["guardian_agents_late",], told["guardian_agent_resident_bytes_worst",]) == (0, 41_200_000)
    assert told["guardian_agent_cpu_ratio_worst",] == 0.001
    late = {"looks_late": 3, "loop_lag_worst_seconds": 2.5}
    await put(rows.self_health("web-1", ago(10), **late), rows.self_health("web-2", ago(4000), looks_late=9))
    told, _ = await samples(client)
    assert (told["guardian_agents_late",], told["guardian_agent_loop_lag_worst_seconds",]) == (1, 2.5)


async def test_a_fleet_that_has_said_nothing_about_itself_is_zeros(client):
    told, _ = await samples(client)
    assert (told["guardian_agents_late",], told["guardian_agent_cpu_ratio_worst",]) == (0, 0)


async def test_requests_are_counted_by_route_and_not_by_path(story, client):
    for path in ("/api/guardian/hosts/web-1", "/api/guardian/hosts/web-9", "/wp-login.php"):
        await client.get(path)
    told, _ = await samples(client)
    assert told["guardian_http_requests_total", "GET", "/api/guardian/hosts/{id}", "200"] == 1
    assert told["guardian_http_requests_total", "GET", "/api/guardian/hosts/{id}", "404"] == 1
    assert told["guardian_http_requests_total", "GET", "none", "404"] == 1


async def test_no_method_that_a_client_makes_up_becomes_a_label(client):
    await client.request("PROPFIND", "/api/guardian/stats")
    told, _ = await samples(client)
    assert any(name[0] == "guardian_http_requests_total" and "other" in name for name in told)
    assert not any("PROPFIND" in name for name in told)


async def test_names_have_the_prefix_and_no_label_is_a_host(story, client):
    _, families = await samples(client)
    for family in families:
        assert family.name.startswith("guardian_")
        assert family.documentation or family.name.endswith("_created")
        assert not any({"host", "agent", "agent_id"} & set(sample.labels) for sample in family.samples)


async def test_every_documented_metric_exists_and_every_metric_is_documented(story, put, client):
    await put(rows.gap("web-1", 5, 9, ago(60)))
    await client.get("/healthz")
    _, families = await samples(client)
    told = {each.name for each in families if not each.name.endswith("_created")}
    text = (Path(__file__).parents[3] / "docs" / "http-api.md").read_text("utf-8")
    documented = {name.removesuffix("_total") for name in re.findall(r"^\| `(guardian_[a-z_]+)", text, re.MULTILINE)}
    assert documented == told


async def test_open_and_closed_are_told_by_when_it_closed_and_what_may_fall_is_no_counter(put, client):
    await put(
        rows.incident("a", "link_down", ago(100), 4, None),
        rows.incident("b", "link_down", ago(90), None, "auto"),
        rows.incident("c", "link_down", ago(80), 4, "unknown_9"),
        rows.execution("e", "a", "A", "stuck", ago(70)),
    )
    told, families = await samples(client)
    assert told["guardian_incidents_open", "link_down"] == 1
    assert told["guardian_incidents_closed", "link_down", "unknown"] == 2
    types = {family.name: family.type for family in families}
    for name in ("incidents_closed", "incidents_recovery_seconds", "executions_ended", "incidents_open"):
        assert types[f"guardian_{name}"] == "gauge"
