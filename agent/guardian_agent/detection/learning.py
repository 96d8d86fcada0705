"""When is what the host looks like taken as good, to be compared with later?"""

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Sequence

import msgspec

from guardian_agent.detection.firewall import FIELDS as OF_THE_FIREWALL
from guardian_agent.detection.firewall import Settling, without_its
from guardian_agent.detection.first_sight import Interests, sight
from guardian_agent.detection.keeping import ANSWERING, Lost, kept, lost
from guardian_agent.detection.scheduler import Scheduler, Watch
from guardian_agent.errors import ProbeError
from guardian_agent.host import Host, KnownGood, Routing, nft
from guardian_agent.model import ConditionState, Stamp
from guardian_agent.probes.base import NAMES, PATH, is_host_target
from guardian_agent.probes.host_release import HostRelease

log = logging.getLogger(__name__)

POLL_S = 5.0
SEE_S = 60.0  # what this host tells of itself
ASK_S = 300.0  # and what others have to be asked for, which costs them and us more
AGAIN_S = 10.0  # for the looks that must be good again before anything is taken for good
BLAMED_S = 600.0  # a new release, where its own probe is not asked
FIRST_CALM_S = 3.0  # on a host of which nothing is known yet
CALM_S = 60.0  # what changed meanwhile with all else good was meant
ACCEPT_S = 3600.0  # a change that hurts nobody for so long was meant too, although a probe minds it
# These compare with what is known good, and so cannot be good again before a change that was meant has been learned.
COMPARING = ("l2_mtu", "l2_gateway_mac", "l3_addresses", "l3_default_route", "l3_routes")
# What only its own probe makes doubtful: an operator who says that it is meant is believed.
DOUBTED_BY = {"echoing_gateways": {"l3_gateway"}}
# Who feels a packet filter, and who feels hardly anything else: against these an operator is not believed either.
FELT_BY = ("l4_connect", "l5_session", "l7_command", "l7_dns", "l7_grpc", "l7_http", "l3_upstream")
FELT_FIRST_BY = ("l4_connect", "l5_session")
OF_THE_NETWORK = ("uplink", "mtu", "addresses", "default_routes", "routes", "neighbours", "name_servers", "routing")


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
        self._seen_at: Stamp | None = None  # None: at the next calm moment
        self._asked_at: Stamp | None = None
        self._lost_since: dict[Lost, Stamp] = {}
        self._settling = Settling()
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await asyncio.sleep(FIRST_CALM_S if self._host.known.good.learned_at is None else POLL_S)
            now = self._host.clock.now()
            is_calm = self.calm(now)
            if self._calm_since is None and not is_calm:
                self._seen_at = self._asked_at = None  # what it was that ended the calm may have changed anything
            if not is_calm or self._blocked(FELT_BY):
                self._settling.begin_again()
            if is_calm and (_is_due(self._seen_at, now, SEE_S) or _is_due(self._asked_at, now, ASK_S)):
                try:
                    await self._learn_in_calm(now)
                except ProbeError as error:
                    log.info("what is good cannot be learned now: %s", error)

    def calm(self, now: Stamp) -> bool:
        """Whether what is there now may be taken as good."""
        bad = [watch for watch in self._network() if _is_bad(watch)]
        harmful = [watch for watch in bad if watch.probe_id not in COMPARING and _can_tell(watch)]
        self._harmless_since = None if harmful else self._harmless_since or now
        self._calm_since = None if bad else self._calm_since or now
        if harmful:
            self._lost_since.clear()
        known = self._host.known.good.learned_at is not None
        if self._calm_since is not None:
            return now.seconds_since(self._calm_since) >= (CALM_S if known else 0.0)
        return self._harmless_since is not None and now.seconds_since(self._harmless_since) >= ACCEPT_S

    async def learn(self) -> list[str]:
        """Takes what is there now as good, as an operator says that it is. Answers what is different from before, a
        line each, and what does not answer now and stays known all the same.

        Raises:
            ProbeError: it cannot be told; all stays as it was known.
        """
        async with self._one_at_a_time:
            before = self._host.known.good
            seen = await sight(self._host, self._of_those_that_are_well(by_operator=True))
            bad = {watch.probe_id for watch in self._network() if _is_bad(watch)} - set(COMPARING)
            silent = {one for one in lost(before, seen, ANSWERING) if bad - DOUBTED_BY.get(one[0], set())}
            blocked = self._blocked(FELT_FIRST_BY)
            doubted = blocked and any(getattr(seen, field) != getattr(before, field) for field in OF_THE_FIREWALL)
            seen = without_its(seen, before) if blocked else seen
            changes = self._take_in(before, kept(before, seen, silent))
        because = ", ".join(sorted(bad))
        if doubted:
            changes.append(f"firewall: stays as it was known, since {', '.join(blocked)} may be blocked by it")
        return changes + [
            f"{field}: {one} does not answer now and stays known, since {because} looks bad"
            for field, one in sorted(silent)
        ]

    async def _learn_in_calm(self, now: Stamp) -> None:
        async with self._one_at_a_time:
            before = self._host.known.good
            interests = self._of_those_that_are_well(by_operator=False)
            asking = before.learned_at is None or _is_due(self._asked_at, now, ASK_S)
            seen = await sight(self._host, interests, asking=asking)
            if not asking and any(getattr(seen, field) != getattr(before, field) for field in OF_THE_NETWORK):
                asking, seen = True, await sight(self._host, interests)
            seen = kept(before, seen, self._not_given_up(lost(before, seen), asking=asking))
            if asking:  # else it was not looked at
                seen = self._settling.of(before, seen, now, well=not self._blocked(FELT_BY))
            if (differences(before, seen) or before.learned_at is None) and not await self._still_calm():
                return
            seen = without_its(seen, before) if self._blocked(FELT_BY) else seen
            self._take_in(before, seen)
            self._seen_at, self._asked_at = now, now if asking else self._asked_at

    def _take_in(self, before: KnownGood, now: KnownGood) -> list[str]:
        changes = differences(before, now)
        if before.learned_at is None or changes:
            self._host.known.good = msgspec.structs.replace(now, learned_at=self._host.clock.now())
            self._remember(self._host.known.good)
            for watch in self._scheduler.watches.values():
                if is_host_target(watch.target):
                    watch.hastened.set()  # who had nothing to compare with may tell now
            for change in changes:
                log.info("known good from now on: %s", change)
        return changes

    async def _still_calm(self) -> bool:
        """Whether who could tell that all was well says so again: a sight takes seconds, in which it may have ended."""
        asked = [watch for watch in self._network() if watch.last_look is not None and watch.last_look.ok]
        try:
            async with asyncio.timeout(AGAIN_S):
                looks = await asyncio.gather(*(self._scheduler.look(watch) for watch in asked))
        except TimeoutError:
            return False
        return all(look.ok for look in looks) and self.calm(self._host.clock.now())

    def _not_given_up(self, gone: set[Lost], *, asking: bool) -> set[Lost]:
        """Those of the lost that stay known: until they have been gone for an hour that was good to all others."""
        now, hurts = self._host.clock.now(), not all(self._is_well(one.name) for one in self._interests.components)
        not_asked = {} if asking else {one: since for one, since in self._lost_since.items() if one[0] in ANSWERING}
        self._lost_since = not_asked | {one: self._lost_since.get(one, now) for one in gone}
        if hurts:
            self._lost_since |= {one: now for one in gone if one[0] == "file_systems"}
        return {one for one in gone if now.seconds_since(self._lost_since[one]) < ACCEPT_S}

    def _of_those_that_are_well(self, *, by_operator: bool) -> Interests:
        well = tuple(component for component in self._interests.components if self._is_well(component.name))
        after_s = {} if by_operator else {one.name: self._release_after_s(one.name) for one in well}
        return msgspec.structs.replace(self._interests, components=well, release_after_s=after_s)

    def _release_after_s(self, component: str) -> float:
        """For how long a release is still to blame for what fails under it; for ever (infinite) while the component
        has not been well for that long."""
        watches, now = self._scheduler.of_target(component), self._host.clock.now()
        blamed_s = next((w.probe.blamed_for_s for w in watches if isinstance(w.probe, HostRelease)), BLAMED_S)
        streaks = [watch.condition.streak_since for watch in watches]
        well_s = min((now.seconds_since(since) for since in streaks if since is not None), default=math.inf)
        return blamed_s if well_s >= blamed_s else math.inf

    def _is_well(self, component: str) -> bool:
        return not any(watch.condition.looks_bad for watch in self._scheduler.of_target(component))

    def _blocked(self, felt_by: Sequence[str]) -> list[str]:
        """Whom the firewall may hurt: the targets that look bad to one of these probes."""
        watches = [watch for watch in self._scheduler.watches.values() if watch.probe_id in felt_by]
        return sorted({watch.target for watch in watches if _is_bad(watch) or _is_blocked(watch)})

    def _network(self) -> Iterable[Watch]:
        wanted = {*PATH, *NAMES}
        return [w for w in self._scheduler.watches.values() if w.probe_id in wanted and is_host_target(w.target)]


def _is_due(last: Stamp | None, now: Stamp, every_s: float) -> bool:
    return last is None or now.seconds_since(last) >= every_s


def _is_bad(watch: Watch) -> bool:
    """Whether it looks bad, once or for long; what was never good here has no say."""
    return watch.condition.looks_bad and (watch.ever_good or watch.condition.state != ConditionState.FAILING)


def _is_blocked(watch: Watch) -> bool:
    """Whether it sees the work of a packet filter, however long already."""
    return watch.failing_as == "firewall_block"


def _can_tell(watch: Watch) -> bool:
    return watch.last_look is None or watch.last_look.reading is not None


def differences(before: KnownGood, now: KnownGood) -> list[str]:
    """What differs, in the words of the fields: `default_routes: X, was Y`."""
    found = []
    for field in KnownGood.__struct_fields__:
        old, new = getattr(before, field), getattr(now, field)
        if field == "firewall":
            old, new = _in_short(old), _in_short(new)
        if field == "routing":
            found += _changes_of_routing(before, now)
        elif field not in ("learned_at", "gateway_rtt_s") and old != new and shown(old) != shown(new):
            found.append(f"{field}: {shown(new)}" + (f", was {shown(old)}" if old else ""))
    return found


def _in_short(tables: dict[str, str] | None) -> dict[str, str] | str | None:
    if tables is None:
        return None
    return {key: nft.summary(text) for key, text in tables.items()} or "no tables"


def _changes_of_routing(before: KnownGood, now: KnownGood) -> list[str]:
    """An entry a line, without those that other fields tell of."""
    old, new = _beside(before), _beside(now)
    return [f"routing: {one} no more" for one in old if one not in new] + [
        f"routing: {one}" for one in new if one not in old
    ]


def _beside(good: KnownGood) -> list[str]:
    told = (
        *(f"{address} dev {good.uplink}" for address in good.addresses),
        *(f"default {r}" for r in good.default_routes),
    )
    return [one for one in (good.routing or Routing()).entries() if not one.startswith(told)]


def shown(value: object) -> str:
    """A value of what is known, for people."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(one)}".strip() for key, one in value.items()) or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(shown(one) for one in value) or "none"
    return str(value) if value not in ("", None) else "none"
