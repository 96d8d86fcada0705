import asyncio
import subprocess
import sys

import pytest
from dbus_fast import Variant
from tests.agent.host.fake_systemd import FakeSystemd, fake_systemd

from guardian_agent.errors import OperationError, ProbeError, RefusedOperationError, UnknownResultError
from guardian_agent.host import ProcessState
from guardian_agent.host import units as module
from guardian_agent.host.operations import KillUnit, ReloadUnit, ResetFailedUnit, RestartUnit, StartUnit, StopUnit
from guardian_agent.host.units import LocalUnits

WEB, OTHER = "web.service", "other.service"


@pytest.fixture
async def machine(tmp_path):
    async with fake_systemd(tmp_path) as (bus, systemd):
        systemd.add(WEB)
        yield bus, systemd


@pytest.fixture
def systemd(machine):
    return machine[1]


@pytest.fixture
async def units(machine):
    units = LocalUnits(machine[0].address)
    yield units
    await units.close()


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


async def test_the_state_of_a_unit(units, systemd):
    systemd.add(WEB, ActiveState="failed", SubState="failed", Result="start-limit-hit", MainPID=0, NRestarts=5)
    state = await units.state(WEB)
    assert (state.unit, state.load_state, state.active_state, state.sub_state) == (WEB, "loaded", "failed", "failed")
    assert (state.result, state.restarts) == ("start-limit-hit", 5)
    assert (state.job_id, state.job_type) == (0, "")
    assert state.control_group == "/system.slice/web.service"


async def test_a_pending_job_is_in_the_state(units, systemd):
    job_id = systemd.queue(WEB, "stop")
    state = await units.state(WEB)
    assert (state.job_id, state.job_type) == (job_id, "stop")


async def test_a_unit_that_does_not_exist(units):
    state = await units.state("no-such.service")
    assert (state.load_state, state.active_state, state.result) == ("not-found", "inactive", "")


async def test_the_failed_units(units, systemd):
    assert await units.failed() == []
    systemd.add(OTHER, ActiveState="failed", SubState="failed")
    assert await units.failed() == [OTHER]
    systemd.errors["ListUnitsFiltered"] = ("org.freedesktop.DBus.Error.AccessDenied", "no")
    with pytest.raises(ProbeError, match="failed units: no"):
        await units.failed()


async def test_a_name_that_no_unit_can_have_is_no_answer(units):
    with pytest.raises(ProbeError, match="not a unit's name"):
        await units.state("no unit")


async def test_a_unit_of_another_type_lacks_what_services_have(units, systemd):
    systemd.units["a.target"] = {"LoadState": "loaded", "ActiveState": "active", "SubState": "active"}
    state = await units.state("a.target")
    assert (state.active_state, state.restarts, state.control_group) == ("active", 0, "")


async def test_without_a_bus_the_state_cannot_be_told(tmp_path):
    units = LocalUnits(f"unix:path={tmp_path}/none")
    with pytest.raises(ProbeError, match=r"web\.service: no connection to the system bus"):
        await units.state(WEB)
    await units.close()


async def test_a_systemd_that_does_not_answer_cannot_be_told(units, systemd, monkeypatch):
    monkeypatch.setattr(module, "READ_LIMIT_S", 0.05)
    systemd.silent.add("ListUnitsByNames")
    with pytest.raises(ProbeError, match=r"did not answer within 0\.05 s"):
        await units.state(WEB)


async def test_a_refusal_to_tell_is_no_state(units, systemd):
    systemd.errors["ListUnitsByNames"] = ("org.freedesktop.DBus.Error.AccessDenied", "no")
    with pytest.raises(ProbeError, match=r"web\.service: no"):
        await units.state(WEB)


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
    assert received == units._received


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


async def test_changing_a_unit_that_nobody_watches(units, systemd):
    systemd.results[OTHER] = "done"
    await units.start(StartUnit(OTHER))
    await units.stop(StopUnit(OTHER))  # it is down: a stop of nothing would still reach what requires it
    systemd.add(OTHER, ActiveState="active")
    await units.stop(StopUnit(OTHER))
    await units.restart(RestartUnit(OTHER))
    asked = [call for call in systemd.calls if call[0] in ("StartUnit", "StopUnit", "RestartUnit")]
    modes = {"Start": "replace", "Stop": "ignore-requirements", "Restart": "replace"}
    assert asked == [(f"{verb}Unit", OTHER, mode) for verb, mode in modes.items()]


async def test_an_operation_takes_as_long_as_its_job(units, systemd):
    starting = asyncio.create_task(units.start(StartUnit(WEB)))
    await asyncio.wait_for(systemd.job_queued.wait(), 5)
    await units.state(WEB)  # a whole round trip later it still waits
    assert not starting.done()
    systemd.finish(systemd.next_job)
    await asyncio.wait_for(starting, 5)


async def test_an_alias_stands_for_its_unit(units, systemd):
    systemd.aliases["www.service"] = WEB
    systemd.results[WEB] = "done"
    events = await watching(units, "www.service")
    systemd.changed(WEB)
    assert (await following(events)).unit == "www.service"
    await units.restart(RestartUnit("www.service", timeout_s=5))
    event = await following(events)
    assert (event.unit, event.ours) == ("www.service", True)


async def test_the_own_name_of_an_alias_is_its_units(units, systemd):
    systemd.aliases["www.service"] = WEB
    systemd.impossible.add("no unit")
    names = ("www.service", WEB, "no unit")
    assert [await units.own_name(name) for name in names] == [WEB, WEB, "no unit"]
    systemd.errors["LoadUnit"] = ("org.freedesktop.DBus.Error.NoReply", "gone")
    with pytest.raises(ProbeError, match="gone"):
        await units.own_name(WEB)


async def test_a_job_that_fails_says_what_became_of_the_unit(units, systemd):
    systemd.add(WEB, ActiveState="failed", SubState="failed", Result="exit-code")
    systemd.results[WEB] = "failed"
    with pytest.raises(OperationError) as caught:
        await units.start(StartUnit(WEB))
    assert str(caught.value) == (
        "systemctl start web.service: systemd's job ended as 'failed'; "
        "the unit is failed (failed), its result 'exit-code'"
    )


DENIED = "org.freedesktop.DBus.Error.AccessDenied"
ASKED = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"


@pytest.mark.parametrize("name", [DENIED, ASKED])
@pytest.mark.parametrize(
    ("method", "operation", "do"),
    [
        ("StartUnit", StartUnit(WEB), LocalUnits.start),
        ("StopUnit", StopUnit(WEB), LocalUnits.stop),
        ("RestartUnit", RestartUnit(WEB), LocalUnits.restart),
        ("ReloadOrRestartUnit", ReloadUnit(WEB), LocalUnits.reload),
        ("KillUnit", KillUnit(WEB), LocalUnits.kill),
        ("ResetFailedUnit", ResetFailedUnit(WEB), LocalUnits.reset_failed),
    ],
)
async def test_a_denied_change_points_to_the_polkit_rule(units, systemd, name, method, operation, do):
    systemd.errors[method] = (name, "Access denied")
    with pytest.raises(RefusedOperationError, match=r"web\.service: not allowed; the polkit rule .* is missing"):
        await do(units, operation)


async def test_what_is_so_already_is_fine(units, systemd):
    not_loaded = ("org.freedesktop.systemd1.NoSuchUnit", "Unit web.service not loaded.")
    systemd.errors |= {"StopUnit": not_loaded, "ResetFailedUnit": not_loaded, "KillUnit": not_loaded}
    await units.stop(StopUnit(WEB))
    await units.reset_failed(ResetFailedUnit(WEB))
    await units.kill(KillUnit(WEB))
    systemd.errors["KillUnit"] = ("org.freedesktop.systemd1.NoSuchProcess", "No process to kill")
    await units.kill(KillUnit(WEB))
    assert ("KillUnit", WEB, "all", 9) in systemd.calls


async def test_after_a_signal_it_waits_for_the_end_of_what_ran_then(units, monkeypatch):
    ticks = iter([[(7, 1)], [(7, 1)], [(7, 2)]])  # its pid belongs to somebody else by the third look

    async def processes(_):
        return [ProcessState(pid=pid, start_ticks=start, alive=True) for pid, start in next(ticks)]

    monkeypatch.setattr(units, "processes", processes)
    await asyncio.wait_for(units.kill(KillUnit(WEB, "SIGABRT", wait_s=60.0)), 5)
    assert list(ticks) == []


async def test_what_does_not_end_is_not_waited_for_for_ever(units, monkeypatch):
    async def processes(_):
        return [ProcessState(pid=7, start_ticks=1, alive=True)]

    monkeypatch.setattr(units, "processes", processes)
    await asyncio.wait_for(units.kill(KillUnit(WEB, wait_s=0.1)), 5)


async def test_a_systemd_that_hangs_is_not_waited_for_for_ever(units, systemd, monkeypatch):
    monkeypatch.setattr(module, "CALL_LIMIT_S", 0.05)
    systemd.silent.add("KillUnit")
    with pytest.raises(OperationError, match=r"web\.service: systemd did not answer within 0\.05 s"):
        await units.kill(KillUnit(WEB))


async def test_a_unit_that_is_not_there_cannot_be_started(units, systemd):
    systemd.errors["StartUnit"] = ("org.freedesktop.systemd1.NoSuchUnit", "Unit web.service not found.")
    with pytest.raises(RefusedOperationError, match=r"Unit web\.service not found"):
        await units.start(StartUnit(WEB))


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


async def test_a_job_whose_bus_is_lost_has_an_unknown_result(machine, units):
    bus, systemd = machine
    starting = asyncio.create_task(units.start(StartUnit(WEB)))
    await asyncio.wait_for(systemd.job_queued.wait(), 5)
    await units.state(WEB)
    await bus.kill()
    with pytest.raises(UnknownResultError, match="its result is unknown"):
        await asyncio.wait_for(starting, 5)


async def test_every_reader_gets_every_event_and_closing_ends_them(units, systemd):
    first = await watching(units, WEB)
    second = units.events()
    systemd.changed(WEB)
    assert await following(first) == await following(second)
    await first.aclose()
    assert [event async for event in first] == []
    await units.close()
    assert [event async for event in second] == []


async def test_the_id_of_a_control_group_is_its_inode(tmp_path, monkeypatch):
    group = tmp_path / "system.slice" / "web.service"
    group.mkdir(parents=True)
    monkeypatch.setattr(module, "cgroup2_folder", lambda: tmp_path)
    units = LocalUnits()
    assert await units.cgroup_id("/system.slice/web.service") == group.stat().st_ino
    assert await units.cgroup_id("/system.slice/none.service") is None
    assert await units.cgroup_id("") is None
    (group / "workers" / "one").mkdir(parents=True)
    below = {(group / name).stat().st_ino for name in ("workers", "workers/one")}
    assert await units.cgroup_ids_below("/system.slice/web.service") == below
    assert await units.cgroup_ids_below("/system.slice/none.service") == set()


def test_the_place_of_control_groups_is_that_of_the_kernel():
    folder = module.cgroup2_folder()
    assert folder is None or (folder / "cgroup.procs").exists()


def test_the_library_is_not_loaded_before_a_bus_is_needed():
    code = "import sys, guardian_agent.host.local; print([name for name in sys.modules if 'dbus' in name])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


async def test_what_a_service_is_started_with(units, systemd):
    start = ["/bin/shop", ["/bin/shop", "--port", "${PORT}"], False, 0, 0, 0, 0, 0, 0, 0]
    systemd.add(WEB, Environment=Variant("as", ["PORT=80", "X=1"]), ExecStart=Variant("a(sasbttttuii)", [start]))
    settings = await units.settings(WEB)
    assert settings.environment == ("PORT=80", "X=1") and settings.command == ("/bin/shop", "--port", "${PORT}")


async def test_what_is_no_service_is_started_with_nothing(units, systemd):
    settings = await units.settings(OTHER)
    assert settings.environment == settings.command == ()


async def test_what_a_service_is_started_with_is_unknown_without_an_answer(units, systemd, monkeypatch):
    monkeypatch.setattr(module, "READ_LIMIT_S", 0.05)
    systemd.silent.add("Get")
    with pytest.raises(ProbeError, match=r"did not answer within 0\.05 s"):
        await units.settings(WEB)


async def test_systemd_reads_its_files_again(units, systemd, monkeypatch):
    await units.reload_manager()
    assert ("Reload",) in systemd.calls
    systemd.errors["Reload"] = ("org.freedesktop.DBus.Error.AccessDenied", "no")
    with pytest.raises(RefusedOperationError, match="not allowed"):
        await units.reload_manager()
    systemd.errors.clear()
    systemd.silent.add("Reload")
    monkeypatch.setattr(module, "RELOAD_LIMIT_S", 0.05)
    with pytest.raises(OperationError, match="not done within"):
        await units.reload_manager()
