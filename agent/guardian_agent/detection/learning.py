"""When is what the host looks like taken as good, to be compared with later?"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

import msgspec

from guardian_agent.detection.first_sight import Interests, sight
from guardian_agent.detection.scheduler import Scheduler, Watch
from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, KnownGood
from guardian_agent.model import ConditionState, Stamp
from guardian_agent.probes.base import NAMES, PATH, is_host_target

log = logging.getLogger(__name__)

POLL_S = 5.0
FIRST_CALM_S = 3.0  # on a host of which nothing is known yet
CALM_S = 60.0  # what changed meanwhile with all else good was meant
ACCEPT_S = 3600.0  # a change that hurts nobody for so long was meant too, although a probe minds it
# These compare with what is known good, and so cannot be good again before a change that was meant has been learned.
COMPARING = ("l2_mtu", "l2_gateway_mac", "l3_addresses", "l3_default_route", "l3_routes")


class Learning:
    """Learns what is good while everything has been good for a while, and never while something is not."""

    def __init__(
        self, host: Host, scheduler: Scheduler, interests: Interests, remember: Callable[[KnownGood], None]
    ) -> None:
        self._host = host
        self._scheduler = scheduler
        self._interests = interests
        self._remember = remember
        self._calm_since: Stamp | None = None  # everything has been good
        self._harmless_since: Stamp | None = None  # everything but comparisons

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await asyncio.sleep(FIRST_CALM_S if self._host.known.good.learned_at is None else POLL_S)
            if self.calm(self._host.clock.now()):
                try:
                    await self.learn()
                except ProbeError as error:
                    log.info("what is good cannot be learned now: %s", error)

    def calm(self, now: Stamp) -> bool:
        """Whether what is there now may be taken as good."""
        failing = {watch.probe_id for watch in self._network() if _is_bad(watch)}
        self._harmless_since = None if failing - set(COMPARING) else self._harmless_since or now
        self._calm_since = None if failing else self._calm_since or now
        known = self._host.known.good.learned_at is not None
        if self._calm_since is not None:
            return now.seconds_since(self._calm_since) >= (CALM_S if known else 0.0)
        return self._harmless_since is not None and now.seconds_since(self._harmless_since) >= ACCEPT_S

    async def learn(self) -> list[str]:
        """Takes what is there now as good. Answers what is different from before, a line each.

        Raises:
            ProbeError: it cannot be told; all stays as it was known.
        """
        before = self._host.known.good
        well = tuple(component for component in self._interests.components if self._is_well(component.name))
        seen = await sight(self._host, msgspec.structs.replace(self._interests, components=well))
        changes = differences(before, seen)
        if before.learned_at is None or changes:
            self._host.known.good = msgspec.structs.replace(seen, learned_at=self._host.clock.now())
            self._remember(self._host.known.good)
            for watch in self._scheduler.watches.values():
                if is_host_target(watch.target):
                    watch.hastened.set()  # who had nothing to compare with may tell now
            for change in changes:
                log.info("known good from now on: %s", change)
        return changes

    def _is_well(self, component: str) -> bool:
        return not any(watch.condition.looks_bad for watch in self._scheduler.of_target(component))

    def _network(self) -> Iterable[Watch]:
        wanted = {*PATH, *NAMES}
        return [w for w in self._scheduler.watches.values() if w.probe_id in wanted and is_host_target(w.target)]


def _is_bad(watch: Watch) -> bool:
    """Whether it looks bad, once or for long; what cannot tell, or was never good here, has no say."""
    return watch.condition.looks_bad and (watch.ever_good or watch.condition.state != ConditionState.FAILING)


def differences(before: KnownGood, now: KnownGood) -> list[str]:
    """What differs, in the words of the fields: `default_routes: X, was Y`."""
    found = []
    for field in KnownGood.__struct_fields__:
        old, new = getattr(before, field), getattr(now, field)
        if field not in ("learned_at", "gateway_rtt_s") and old != new and shown(old) != shown(new):
            found.append(f"{field}: {shown(new)}" + (f", was {shown(old)}" if old else ""))
    return found


def shown(value: object) -> str:
    """A value of what is known, for people."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(one)}".strip() for key, one in value.items()) or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(shown(one) for one in value) or "none"
    if isinstance(value, msgspec.Struct):
        told = msgspec.structs.asdict(value)
        if "gateway" in told:
            way = f"via {told['gateway']} " if told["gateway"] else ""
            return f"{told['discards'] or way + 'dev ' + told['interface']}"
    return str(value) if value not in ("", None) else "none"
