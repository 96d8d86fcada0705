"""Remedies that cannot work, since somebody breaks the host again each time: taken back, and the ladder goes on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from tests.bed.commands import CommandError
from tests.bed.conftest import runner
from tests.bed.faults.acts import ends, in_order, kills, spawns
from tests.bed.faults.catalogue import FAULTS
from tests.bed.faults.fault import Fault, Scene
from tests.bed.faults.traces import traces
from tests.bed.guardian import Guardian
from tests.bed.verdicts import AGENT, start_unprepared
from tests.bed.waiting import until
from tests.bed.workloads.workloads import UNITS

BY_ID = {fault.id: fault for fault in FAULTS}
# The playbook that is tried, and the probe that finds the fault: it is not content before it was good for four seconds.
REMEDIES = {
    "default_route_deleted": ("restore_route", "l3_default_route"),
    "link_down": ("bounce_link", "l1_carrier"),
    "gateway_pinned_wrong": ("flush_neighbour", "l2_neighbour"),
    "firewall_reject": ("restore_firewall", "l4_connect"),
    "resolver_garbage": ("restore_resolver", "l7_dns"),
    "page_defaced": ("quarantine_artifacts", "host_artifact"),
    "tasks_exhausted": ("performance_optimization", "host_tasks"),
    "disk_full": ("resource_cleanup", "host_disk"),
    "heartbeat_lost": ("restart_kernel", "host_heartbeat"),
    "nginx_killed": ("restart_service", "host_unit"),
    "stops_listening": ("restart_component", "l4_listen"),
    "bad_release_errors": ("rollback_deployment", "host_release"),
    "certificate_expired": ("rotate_secrets", "l6_certificate"),
    "port_stolen": ("clear_port", "l4_listen"),
    "port_kept": ("rebind_port", "l4_listen"),
}
# How it is broken again, where that is not as it was broken first: a stop by hand would be an operator's.
AGAIN = {
    "port_stolen": in_order(
        kills("nginx.service"), ends("thief"), spawns("thief", "python3", "-m", "http.server", "80")
    ),
    "port_kept": kills("shop.service"),
}
SERVED_FOR_S = {"certificate_expired": 2.0}  # before it is broken again: a new certificate has to prove itself first
HARD_TO_PLEASE = "rise = 40\nconfirm_interval_s = 0.1\n"


@pytest.fixture(scope="module")
def aggregated(scene: Scene) -> Guardian:
    with runner() as running:
        guardian = running.run(Guardian.on(scene.fleet))
        running.run(guardian.start_aggregator())
        return guardian


@contextlib.asynccontextmanager
async def broken_again_and_again(scene: Scene, fault: Fault) -> AsyncIterator[None]:
    """Whenever a client is served again, somebody breaks it again."""

    async def sabotage() -> None:
        while True:
            await asyncio.sleep(0.2)
            with contextlib.suppress(CommandError):
                if not await fault.symptom(scene):
                    await asyncio.sleep(SERVED_FOR_S.get(fault.id, 0.0))
                    await AGAIN.get(fault.id, fault.inject)(scene)

    saboteur = asyncio.create_task(sabotage())
    try:
        yield
    finally:
        saboteur.cancel()
        await asyncio.gather(saboteur, return_exceptions=True)


@pytest.mark.full
@pytest.mark.parametrize("fault", [BY_ID[name] for name in REMEDIES], ids=list(REMEDIES))
async def test_what_does_not_help_is_taken_back_and_the_ladder_goes_on(
    scene: Scene, aggregated: Guardian, fault: Fault
) -> None:
    playbook, probe = REMEDIES[fault.id]
    await start_unprepared(aggregated, scene, probes={probe: HARD_TO_PLEASE})
    seen: dict[str, dict[str, object]] = {}

    async def given_up() -> bool:
        if (status := await aggregated.status_or_none(scene.host)) is None:
            return False
        seen.update({each["execution_id"]: each for each in status["recent_executions"]})
        tried = [each for each in seen.values() if each["playbook"] == playbook and each["outcome"]]
        later = [each for each in seen.values() if tried and each["started_at"] != tried[0]["started_at"]]
        exhausted = any(incident["exhausted"] for incident in status["incidents"])
        return bool(tried) and (exhausted or any(each["playbook"] != "diagnose_network" for each in later))

    try:
        await fault.inject(scene)
        broken = await traces(scene, UNITS)
        async with broken_again_and_again(scene, fault):
            await until(given_up, f"{playbook} has failed, and the ladder goes on", within_s=120.0, every_s=0.2)
            await scene.host.exec("systemctl", "stop", AGENT, timeout_s=90)
        after = await traces(scene, UNITS)
    finally:
        await scene.host.exec("systemctl", "stop", AGENT, timeout_s=90)
        await fault.revert(scene)
        await scene.host.exec("systemctl", "reset-failed", *UNITS)
        await scene.host.must("systemctl", "start", *UNITS, timeout_s=60)
    execution = next(each for each in seen.values() if each["playbook"] == playbook)
    assert execution["outcome"] == "ineffective", execution
    steps = execution["steps"]
    assert isinstance(steps, list) and steps
    for step in steps:
        assert step["state"] == ("applied" if step["undo"] is None else "undone"), step
    if all(step["undo"] is not None for step in steps):
        assert after == broken
