async def test_hosts_are_listed_by_id_with_what_they_said(story, get):
    told = (await get("/api/guardian/hosts"))["hosts"]
    assert [(each["id"], each["connected"], each["stale"]) for each in told] == [
        ("web-1", True, False),
        ("web-2", False, True),
    ]
    assert told[0]["labels"] == {"site": "ams", "role": "web"}
    assert told[0]["first_seen_at"] == "2026-11-03T12:00:00Z"


async def test_a_label_picks_the_hosts_that_carry_it(story, get):
    assert [each["id"] for each in (await get("/api/guardian/hosts", **{"label.site": "fra"}))["hosts"]] == ["web-2"]


async def test_pages_hold_each_host_once(story, get):
    first = await get("/api/guardian/hosts", limit=1)
    second = await get("/api/guardian/hosts", limit=1, cursor=first["next_cursor"])
    assert [first["hosts"][0]["id"], second["hosts"][0]["id"]] == ["web-1", "web-2"]
    assert second["next_cursor"] is None


async def test_one_host_has_its_layers_and_its_open_incidents(story, get):
    told = await get("/api/guardian/hosts/web-1")
    assert told["layers"][0]["state"] == "failing"
    assert [each["id"] for each in told["open_incidents"]] == ["i6", "i5"]


async def test_a_host_that_nobody_knows_is_not_found(story, client):
    response = await client.get("/api/guardian/hosts/web-9")
    assert response.status == 404
    assert (await response.json())["detail"] == "no such host"


async def test_a_clock_that_is_off_is_told_of_its_host_and_in_the_coverage(story, store, get):
    await store.write(
        lambda connection: connection.execute("UPDATE agents SET clock_offset_seconds = -9.5 WHERE agent_id = 'web-1'")
    )
    hosts = (await get("/api/guardian/hosts"))["hosts"]
    assert [host["clock_offset_seconds"] for host in hosts] == [-9.5, None]
    assert (await get("/api/guardian/stats"))["coverage"]["clocks_off"] == 1


async def test_a_host_has_its_agents_newest_word_about_itself(story, get):
    listed = (await get("/api/guardian/hosts"))["hosts"]
    assert listed[0]["self_health"] == {
        "at": "2026-11-03T13:59:30Z",
        "over_seconds": 60.0,
        "cpu_seconds": 0.06,
        "resident_bytes": 41_200_000,
        "loop_lag_worst_seconds": 0.003,
        "waited_for_cpu_seconds": 0.002,
        "looks": 840,
        "looks_unknown": 2,
        "looks_late": 0,
    }
    assert listed[1]["self_health"] is None
    assert (await get("/api/guardian/hosts/web-1"))["self_health"] == listed[0]["self_health"]
