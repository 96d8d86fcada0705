import asyncio

import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_workloads import FakeUnit
from tests.agent.healing.scene import WEB, Scene, nginx, quick, running, until
from tests.agent.playbooks.pages import example_steps
from tests.agent.playbooks.situations import situation

from guardian_agent.errors import CannotPlanError, ProbeError
from guardian_agent.host.operations import KillUnit
from guardian_agent.host.questions import ReadStacks, ReadVitals, ThreadStack, Vitals
from guardian_agent.model import Component, Heartbeat, Outcome
from guardian_agent.playbooks.auto_heal.restart_kernel import MOST_BYTES, RestartKernel
from guardian_agent.playbooks.base import Plan

BEAT = Heartbeat(file="/run/shop/beat", max_age_s=2.0)
CORE = msgspec.structs.replace(quick(WEB, 1.0), heartbeat=BEAT)
STUCK = ThreadStack(pid=7, tid=7, name="nginx", status="D", waits_in="io_schedule", kernel_stack=("[<0>] io_schedule",))


def looked_into(host: FakeHost, *threads: ThreadStack) -> FakeUnit:
    host.answers[ReadStacks] = threads
    host.answers[ReadVitals] = (Vitals(pid=7, name="nginx", status="D", open_files=12),)
    return nginx(host)


async def plan(host: FakeHost, component: Component = CORE) -> Plan:
    return await RestartKernel().plan(situation(component, "heartbeat_lost"), host)


def typed(plan: Plan) -> list[str]:
    return [step.do.describe() + (f" / {step.undo.describe()}" if step.undo else "") for step in plan.steps]


async def test_what_hangs_is_looked_into_aborted_killed_and_started() -> None:
    host = FakeHost()
    looked_into(host, STUCK)
    found = await plan(host)
    assert typed(found) == example_steps("restart_kernel")
    assert found.findings["threads"][0]["kernel_stack"] == ("[<0>] io_schedule",)
    assert found.findings["processes"][0]["open_files"] == 12
    assert found.findings["sentence"] == "Its first thread (nginx, 7) was in status D, waiting in io_schedule."


@pytest.mark.parametrize("failure", [ProbeError("no executor"), TimeoutError()])
async def test_without_a_look_it_goes_on_and_says_so(failure: Exception) -> None:
    host = FakeHost()
    looked_into(host)
    host.answers[ReadStacks] = host.answers[ReadVitals] = failure
    found = await plan(host)
    assert typed(found) == example_steps("restart_kernel")
    assert "Not read" in found.findings["sentence"] and found.findings["threads"] == []


async def test_of_very_many_threads_as_many_are_kept_as_an_execution_carries() -> None:
    host = FakeHost()
    looked_into(host, *(msgspec.structs.replace(STUCK, kernel_stack=("x" * 90,) * 40),) * 100)
    found = (await plan(host)).findings
    assert len(msgspec.json.encode(found)) <= MOST_BYTES
    assert "Of 100 threads, 3 are shown." in found["sentence"]


async def test_what_is_down_is_started_and_the_undo_is_a_stop() -> None:
    host = FakeHost()
    looked_into(host).crash()
    name = "nginx.service"
    assert typed(await plan(host)) == [
        f"systemctl reset-failed {name}",
        f"systemctl start {name} / systemctl stop {name}",
    ]


async def test_a_command_is_killed_with_its_whole_session() -> None:
    shop = Component(name="shop", command=("/usr/bin/shop",), heartbeat=BEAT)
    found = await plan(FakeHost(), shop)
    assert typed(found) == ["SIGKILL to every process of shop", "setsid /usr/bin/shop &"]


@pytest.mark.parametrize(
    ("component", "why"),
    [
        (WEB, "declares no heartbeat"),
        (Component(name="bare", heartbeat=BEAT), "can only be watched"),
        (msgspec.structs.replace(CORE, unit="gone.service"), "systemd says gone.service is not-found"),
    ],
)
async def test_it_says_why_it_is_no_remedy(component: Component, why: str) -> None:
    host = FakeHost()
    nginx(host)
    with pytest.raises(CannotPlanError, match=why):
        await plan(host, component)


async def beating(scene: Scene, unit: FakeUnit) -> None:
    """Touches the file for as long as the unit runs and is not frozen."""
    while True:
        if unit.up and not unit.frozen:
            scene.host.files.put(BEAT.file, modified_wall_s=scene.host.clock.now().wall_ns / 1e9)
        await asyncio.sleep(0.2)


@pytest.mark.parametrize("mended", [True, False])
async def test_a_hung_kernel_is_healed_with_its_stack_kept_and_one_that_stays_mute_is_not(mended: bool) -> None:
    host = FakeHost()
    unit = looked_into(host, STUCK)
    core = Component(name="web", unit="nginx.service", heartbeat=BEAT, start_grace_s=5.0)
    host.files.put(BEAT.file, modified_wall_s=host.clock.now().wall_ns / 1e9)
    async with running(host, core, settled=False, ladders={"heartbeat_lost": ("restart_kernel",)}) as scene:
        beats = asyncio.ensure_future(beating(scene, unit))
        await asyncio.sleep(5.0)
        unit.freeze()
        if not mended:
            beats.cancel()
        await until(lambda: bool(scene.remedies and scene.remedies[0].outcome), within_s=60.0)
        beats.cancel()
        (remedy, *_) = scene.remedies
    assert remedy.playbook == "restart_kernel"
    assert remedy.outcome == (Outcome.HEALED if mended else Outcome.INEFFECTIVE)
    assert remedy.evidence["threads"][0]["waits_in"] == "io_schedule"
    assert [one.signal for one in host.done if isinstance(one, KillUnit)] == ["SIGABRT", "SIGKILL"]
