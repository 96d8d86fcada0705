"""Watches of the host itself whose probes say what a test tells them."""

import asyncio
from typing import Any, ClassVar

from tests.agent.fake_host import FakeHost

from guardian_agent.detection.scheduler import Scheduler, Watch
from guardian_agent.host import Host
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes import Probe
from guardian_agent.probes.base import HOST_TARGET

LAYERS = {"host": Layer.HOST} | {f"l{layer.value}": layer for layer in Layer if layer != Layer.HOST}


def canary(
    name: str,
    *,
    issue: str = "broken",
    ground: tuple[str, ...] = (),
    reads: bool = True,
    asks: str = "",
    takes_s: float = 0.0,
) -> Any:
    """A probe class of that id; `good` on it is what its looks say, each after `takes_s`."""

    whom = asks

    class Canary(Probe, frozen=True, kw_only=True):
        layer: ClassVar = LAYERS[name.partition("_")[0]]
        issue_types: ClassVar = (issue,)
        reads_kernel_state: ClassVar = reads
        good: ClassVar = True

        @classmethod
        def probe_id(cls) -> str:
            return name

        def rests_on(self, issue_type: str) -> tuple[str, ...]:
            return ground

        def asks(self) -> str:
            return whom

        async def look(self, host: Host) -> Reading:
            await asyncio.sleep(takes_s)
            return Reading(ok=type(self).good, evidence={"seen": name})

    return Canary


def watch_of(kind: Any, target: str | None = None, interval_s: float = 1.0) -> Watch:
    schedule = Schedule(interval_s=interval_s)
    return Watch(kind(), target or f"{HOST_TARGET}{kind.probe_id().partition('_')[2]}", schedule, quiet_until_s=0.0)


def scheduler_of(host: FakeHost, *probe_ids: str) -> Scheduler:
    """A scheduler, not running, of canaries of the host itself."""
    scheduler = Scheduler(host, on_look=lambda watch, change: None, is_quiet=lambda target: False)
    for probe_id in probe_ids:
        scheduler.add(watch_of(canary(probe_id)))
    return scheduler
