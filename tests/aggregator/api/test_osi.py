from tests.aggregator.api import rows
from tests.aggregator.api.rows import ago

from guardian_aggregator.model import Layer


async def layers(get, **parameters):
    return {each["layer"]: each for each in (await get("/api/guardian/osi", **parameters))["layers"]}


async def test_all_layers_are_there_from_the_lowest_up(story, get):
    assert list(await layers(get)) == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_layer_is_what_its_probes_last_said(story, get):
    told = await layers(get)
    assert (told[1]["name"], told[1]["state"], told[1]["reason"]) == ("physical", "failing", None)
    assert (told[4]["state"], told[4]["hosts"]) == ("ok", {"ok": 1, "failing": 0, "unknown": 0})
    assert (told[7]["state"], told[7]["reason"]) == ("unknown", "cannot_tell")


async def test_how_often_a_layer_failed_is_of_the_window(story, get):
    told = await layers(get, window="1h")
    assert (told[1]["failures"], told[4]["failures"]) == (1, 0)
    assert (await layers(get, to="2026-11-03T13:00:00Z"))[1]["failures"] == 0


async def test_a_filter_narrows_what_is_told(story, get):
    assert list(await layers(get, layer="physical")) == [1]
    assert (await layers(get, issue_type="http_error"))[1]["state"] == "unknown"
    assert (await layers(get, playbook="restart_component"))[1]["state"] == "unknown"
    assert (await layers(get, issue_type="link_down"))[1]["state"] == "failing"


async def test_a_layer_without_a_probe_is_unknown_and_never_ok(story, get):
    told = await layers(get)
    assert (told[2]["state"], told[2]["reason"]) == ("unknown", "no_data")


async def test_what_a_silent_host_said_last_is_not_believed(story, get):
    told = await layers(get)
    assert (told[5]["state"], told[5]["reason"]) == ("unknown", "stale")
    assert told[5]["conditions"] == {"ok": 0, "failing": 0, "unknown": 1}


async def test_failing_conditions_are_named(story, get):
    assert (await layers(get))[1]["failing_conditions"] == [
        {
            "host": "web-1",
            "target": "web",
            "probe": "l1_carrier",
            "issue_type": "link_down",
            "since": "2026-11-03T13:51:39Z",
        }
    ]


async def test_one_hosts_layers_are_its_own(story, get):
    assert {each["reason"] for each in (await layers(get, host="web-2")).values()} == {"no_data", "stale"}


async def test_a_failure_that_is_over_no_longer_fails(story, put, get):
    await put(rows.transition("web-1", "l1_carrier", 1, "ok", ago(1)))
    assert (await layers(get))[1]["state"] == "ok"


async def test_one_failing_host_among_good_ones_makes_the_layer_fail(story, store, put, get):
    await store.greet(rows.hello("web-3"), ago(1))
    await put(rows.transition("web-3", "l1_carrier", 1, "ok", ago(1)))
    told = (await layers(get))[1]
    assert (told["state"], told["hosts"]) == ("failing", {"ok": 1, "failing": 1, "unknown": 0})


async def test_without_hosts_every_layer_has_no_data(get):
    told = (await layers(get)).values()
    assert [each["layer"] for each in told] == list(Layer)
    assert {(each["state"], each["reason"]) for each in told} == {("unknown", "no_data")}
