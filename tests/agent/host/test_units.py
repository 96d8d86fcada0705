import asyncio
import subprocess
import sys

import pytest
from dbus_fast import Variant

from guardian_agent.errors import OperationError, ProbeError, RefusedOperationError, UnknownResultError
from guardian_agent.host import ProcessState
from guardian_agent.host import units as module
from guardian_agent.host.operations import KillUnit, ReloadUnit, ResetFailedUnit, RestartUnit, StartUnit, StopUnit
from guardian_agent.host.units import LocalUnits

WEB, OTHER = "web.service", "other.service"


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


async def test_the_own_name_of_an_alias_is_its_units(units, systemd):
    systemd.aliases["www.service"] = WEB
    systemd.impossible.add("no unit")
    names = ("www.service", WEB, "no unit")
    assert [await units.own_name(name) for name in names] == [WEB, WEB, "no unit"]
    systemd.errors["LoadUnit"] = ("org.freedesktop.DBus.Error.NoReply", "gone")
    with pytest.raises(ProbeError, match="gone"):
        await units.own_name(WEB)


async def test_a_socket_tells_what_it_starts_and_what_cannot_be_asked_is_told(units, systemd):
    systemd.add("web.socket", Triggers=Variant("as", [WEB]))
    assert (await units.triggers("web.socket"), await units.triggers("no.timer")) == ((WEB,), ())
    systemd.errors["Get"] = ("org.freedesktop.DBus.Error.NoReply", "gone")
    with pytest.raises(ProbeError, match="gone"):
        await units.triggers("web.socket")


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


async def test_a_job_whose_bus_is_lost_has_an_unknown_result(machine, units):
    bus, systemd = machine
    starting = asyncio.create_task(units.start(StartUnit(WEB)))
    await asyncio.wait_for(systemd.job_queued.wait(), 5)
    await units.state(WEB)
    await bus.kill()
    with pytest.raises(UnknownResultError, match="its result is unknown"):
        await asyncio.wait_for(starting, 5)


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
