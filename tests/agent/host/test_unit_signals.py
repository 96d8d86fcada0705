import asyncio

import pytest
from tests.agent.host.fake_systemd import FakeSystemd, fake_systemd

from guardian_agent.errors import OperationError, ProbeError
from guardian_agent.host import unit_signals as module
from guardian_agent.host.operations import RestartUnit, StopUnit
from guardian_agent.host.units import LocalUnits

WEB, OTHER = "web.service", "other.service"


async def watching(units, *names):
    """Events after all that is told at the beginning."""
    events = units.events()
    for name in names:
        units.watch(name)
    assert {(await following(events)).unit for _ in names} == set(names)
    return events


async def following(events):
    event = await asyncio.wait_for(anext(events), 5)
    assert event is not None
    return event


async def test_only_watched_units_make_events(units, systemd):
    events = await watching(units, WEB)
    systemd.changed(OTHER)
    systemd.finish(systemd.queue(OTHER, "restart"))
    systemd.changed(WEB)
    event = await following(events)
    assert (event.unit, event.kind) == (WEB, "changed")


async def test_the_chatter_of_other_units_never_reaches_us(units, systemd, monkeypatch):
    members = []
    received = units._bus._on_message
    await watching(units, WEB)
    units._bus._bus.add_message_handler(lambda message: members.append(message.path))
    systemd.changed(OTHER)
    systemd.changed(WEB)
    await units.state(WEB)
    assert not [path for path in members if path and "other" in path]
    assert received == units._signals._received


async def test_a_unit_watched_later_is_told_of_too(units, systemd):
    events = await watching(units, WEB)
    units.watch(OTHER)
    assert (await following(events)).unit == OTHER
    systemd.changed(OTHER)
    assert (await following(events)).unit == OTHER


async def test_a_name_that_no_unit_can_have_does_not_keep_the_others_from_us(units, systemd):
    systemd.impossible.add("a'b")
    events = units.events()
    units.watch("a'b")
    units.watch(WEB)
    assert (await following(events)).unit == WEB
    systemd.changed(WEB)
    assert (await following(events)).unit == WEB


async def test_a_job_of_somebody_else(units, systemd):
    events = await watching(units, WEB)
    job_id = systemd.queue(WEB, "stop")
    event = await following(events)
    assert (event.kind, event.job_id, event.job_type, event.ours) == ("job_new", job_id, "stop", False)
    systemd.finish(job_id)
    event = await following(events)
    assert (event.kind, event.job_id, event.job_type) == ("job_removed", job_id, "stop")
    assert (event.job_result, event.ours) == ("done", False)


async def removed(events):
    while (event := await following(events)).kind != "job_removed":
        pass
    return event


async def test_a_job_that_is_over_before_we_can_ask_for_its_type(units, systemd):
    events = await watching(units, WEB)
    systemd.finish(systemd.queue(WEB, "start"), "canceled")
    first, second = await following(events), await following(events)
    assert (first.kind, first.job_type) == ("job_new", "")
    assert (second.kind, second.job_type, second.job_result) == ("job_removed", "", "canceled")


@pytest.mark.parametrize(
    ("states", "kind"),
    [
        (["active", "deactivating", "inactive"], "stop"),
        (["active", "failed"], "stop"),
        (["failed"], "stop"),
        (["activating", "inactive"], "stop"),  # stopped while it waited for its automatic restart
        (["inactive", "active"], "start"),
        (["inactive", "inactive", "active"], "start"),  # told again, since it has a job now
        (["failed", "activating", "active"], "start"),
        (["inactive", "activating", "inactive"], "start"),
        (["active", "deactivating", "inactive", "activating", "active"], "restart"),
        (["active", "deactivating", "active"], "restart"),
        (["active"], ""),
        (["active", "activating"], ""),
    ],
)
async def test_the_type_of_a_quick_job_is_told_by_what_the_unit_went_through(units, systemd, states, kind):
    systemd.add(WEB, ActiveState=states[0])
    events = await watching(units, WEB)
    job_id = systemd.queue(WEB, "unknown to us")
    for state in states[1:]:
        systemd.changed(WEB, state)
    systemd.finish(job_id)
    assert (await removed(events)).job_type == kind


async def test_what_the_unit_did_before_a_job_does_not_tell_its_type(units, systemd):
    events = await watching(units, WEB)
    systemd.changed(WEB, "inactive")
    systemd.changed(WEB, "active")
    systemd.finish(systemd.queue(WEB, "reload"))
    assert (await removed(events)).job_type == ""


async def test_a_job_that_began_before_we_watched(units, systemd):
    job_id = systemd.queue(WEB, "stop")
    events = await watching(units, WEB)
    systemd.finish(job_id)
    event = await following(events)
    assert (event.kind, event.job_id, event.ours) == ("job_removed", job_id, False)


@pytest.mark.parametrize("at_once", [True, False])
async def test_our_own_jobs_are_told_apart(units, systemd, at_once):
    events = await watching(units, WEB)
    if at_once:
        systemd.results[WEB] = "done"
    restarting = asyncio.create_task(units.restart(RestartUnit(WEB)))
    first = await following(events)
    assert (first.kind, first.ours) == ("job_new", True)
    if not at_once:
        systemd.finish(first.job_id)
    second = await following(events)
    assert (second.kind, second.ours, second.job_result) == ("job_removed", True, "done")
    await restarting


async def test_our_job_stays_ours_when_we_no_longer_wait_for_it(units, systemd):
    events = await watching(units, WEB)
    with pytest.raises(OperationError, match=r"systemctl stop web\.service: systemd's job was not done after 0\.05 s"):
        await units.stop(StopUnit(WEB, timeout_s=0.05))
    assert (await following(events)).ours
    systemd.finish(systemd.next_job)
    event = await following(events)
    assert (event.kind, event.ours) == ("job_removed", True)


async def test_an_alias_stands_for_its_unit(units, systemd):
    systemd.aliases["www.service"] = WEB
    systemd.results[WEB] = "done"
    events = await watching(units, "www.service")
    systemd.changed(WEB)
    assert (await following(events)).unit == "www.service"
    await units.restart(RestartUnit("www.service", timeout_s=5))
    event = await following(events)
    assert (event.unit, event.ours) == ("www.service", True)


async def test_a_reload_is_one_event_for_each_unit_at_its_end(units, systemd):
    events = await watching(units, WEB)
    systemd.signal("Reloading", "b", True)
    systemd.changed(WEB)
    systemd.changed(WEB)
    systemd.signal("Reloading", "b", False)
    assert (await following(events)).kind == "changed"
    systemd.finish(systemd.queue(WEB, "start"))
    assert (await following(events)).kind == "job_new"


async def test_a_systemd_executed_anew_is_subscribed_to_anew(units, systemd):
    events = await watching(units, WEB)
    await systemd.stop()
    await systemd.start()
    assert (await following(events)).kind == "changed"
    assert systemd.calls.count(("Subscribe",)) == 2
    systemd.changed(WEB)
    assert (await following(events)).kind == "changed"


async def test_being_subscribed_already_is_fine(units, systemd):
    systemd.errors["Subscribe"] = ("org.freedesktop.systemd1.AlreadySubscribed", "Client is already subscribed.")
    await watching(units, WEB)


async def test_a_bus_that_went_away_is_found_again(machine, units, monkeypatch):
    monkeypatch.setattr(module, "BACK_OFF_S", (0.001, 0.01))
    bus, _ = machine
    events = await watching(units, WEB)
    await bus.kill()
    with pytest.raises(ProbeError):
        await units.state(WEB)
    await bus.start()
    again = FakeSystemd(bus.address)
    again.add(WEB)
    await again.start()
    assert (await following(events)).kind == "changed"
    job_id = again.queue(WEB, "stop")
    event = await following(events)
    assert (event.kind, event.job_id) == ("job_new", job_id)
    assert (await units.state(WEB)).job_id == job_id
    await again.stop()


async def test_a_bus_that_comes_later_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BACK_OFF_S", (0.001, 0.01))
    units = LocalUnits(f"unix:path={tmp_path}/bus")
    events = units.events()
    units.watch(WEB)
    async with fake_systemd(tmp_path):
        assert (await following(events)).unit == WEB
    await units.close()


async def test_every_reader_gets_every_event_and_closing_ends_them(units, systemd):
    first = await watching(units, WEB)
    second = units.events()
    systemd.changed(WEB)
    assert await following(first) == await following(second)
    await first.aclose()
    assert [event async for event in first] == []
    await units.close()
    assert [event async for event in second] == []
