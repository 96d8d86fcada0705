"""The agent is killed at every step that root carries out for it: the host is healed, and nothing is left half done."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bed.conftest import runner
from tests.bed.faults.catalogue import FAULTS
from tests.bed.faults.fault import Fault, Scene
from tests.bed.faults.traces import traces
from tests.bed.guardian import Guardian
from tests.bed.spawned import Spawned
from tests.bed.verdicts import AGENT, start_unprepared
from tests.bed.waiting import until
from tests.bed.workloads.workloads import UNITS

KILLER = Path(__file__).with_name("killer.py").read_text()
AUDIT = "/var/log/guardian/executor.jsonl"
BY_ID = {fault.id: fault for fault in FAULTS}
# The playbook that heals each, and how many lines about operations its repair has at most: a begin and an end for each.
REPAIRS = {
    "default_route_deleted": ("restore_route", 2),
    "link_down": ("bounce_link", 2),
    "gateway_pinned_wrong": ("flush_neighbour", 2),
    "firewall_reject": ("restore_firewall", 2),
    "resolver_garbage": ("restore_resolver", 2),
    "page_defaced": ("quarantine_artifacts", 2),
    "bad_release_errors": ("rollback_deployment", 2),
    "certificate_expired": ("rotate_secrets", 6),
    "port_stolen": ("clear_port", 2),
    "port_kept": ("rebind_port", 4),
    "disk_full": ("resource_cleanup", 2),
    "tasks_exhausted": ("performance_optimization", 2),
}
# Those that leave nothing but what was there before the fault.
RESTORING = (
    *("restore_route", "bounce_link", "flush_neighbour", "restore_firewall", "restore_resolver"),
    *("quarantine_artifacts", "rollback_deployment"),
)
IN_MAKE_TEST = {  # the network, files, secrets and limits; the other kinds are in `make test-bed`
    *(("default_route_deleted", 1), ("page_defaced", 1), ("certificate_expired", 3), ("tasks_exhausted", 2)),
}


def _cases() -> Iterator[object]:
    for fault, (_, lines) in REPAIRS.items():
        for line in range(1, lines + 1):
            marks = [] if (fault, line) in IN_MAKE_TEST else [pytest.mark.full]
            yield pytest.param(BY_ID[fault], line, id=f"{fault}-{line}", marks=marks)


@pytest.fixture(scope="module")
def aggregated(scene: Scene) -> Guardian:
    with runner() as running:
        guardian = running.run(Guardian.on(scene.fleet))
        running.run(guardian.start_aggregator())
        return guardian


async def kills_at(scene: Scene, line: int) -> Spawned:
    """From now on the agent's process dies as soon as the executor has written so many lines about operations."""
    shown = await scene.host.must("systemctl", "show", "--property=MainPID", "--value", AGENT)
    killer = scene.host.spawn("python3", "-c", KILLER, shown.strip(), str(line), AUDIT)

    async def ready() -> bool:
        return "ready" in killer.lines()

    await until(ready, "the killer waits", within_s=20.0)
    return killer


@pytest.mark.parametrize(("fault", "line"), list(_cases()))
async def test_killed_at_any_line_the_host_is_healed_and_nobody_is_stuck(
    scene: Scene, aggregated: Guardian, fault: Fault, line: int
) -> None:
    playbook, _ = REPAIRS[fault.id]
    await start_unprepared(aggregated, scene)
    before = await traces(scene, UNITS)
    killer = await kills_at(scene, line)
    seen: dict[str, dict[str, str]] = {}

    async def over() -> bool:
        status = await aggregated.status_or_none(scene.host)
        if status is None:  # it has just been killed
            return False
        seen.update({each["execution_id"]: each for each in status["recent_executions"]})
        ended = all(each["outcome"] for each in seen.values())
        return bool(seen) and ended and not status["incidents"] and not await fault.symptom(scene)

    try:
        await fault.inject(scene)
        await until(over, f"{fault.id} is healed", within_s=120.0, every_s=0.1)
        after = await traces(scene, UNITS)
    finally:
        killer.stop()
        await scene.host.exec("systemctl", "stop", AGENT, timeout_s=90)
        await fault.revert(scene)
        await scene.host.exec("systemctl", "reset-failed", *UNITS)
        await scene.host.must("systemctl", "start", *UNITS, timeout_s=60)
    outcomes = [each["outcome"] for each in seen.values() if each["playbook"] == playbook]
    assert any(text.startswith("killed at") for text in killer.lines()), (killer.lines(), outcomes)
    assert set(outcomes) <= {"interrupted", "healed", "superseded"}, seen
    assert "interrupted" in outcomes or outcomes == ["healed"]
    if playbook in RESTORING:
        assert after == before
