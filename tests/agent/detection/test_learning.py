import asyncio

import msgspec
import pytest
from tests.agent.detection.host_watches import canary, watch_of
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import until

from guardian_agent.detection.first_sight import Interests
from guardian_agent.detection.learning import ACCEPT_S, CALM_S, Learning, differences
from guardian_agent.detection.scheduler import Scheduler, Watch
from guardian_agent.errors import ProbeError
from guardian_agent.host import Address, KnownGood, Route
from guardian_agent.model import Reading


class Learner:
    """A `Learning` beside a probe of each kind, whose last look a test sets."""

    def __init__(self) -> None:
        self.host = FakeHost()
        scheduler = Scheduler(self.host, on_look=lambda watch, change: None, is_quiet=lambda target: False)
        self.route = watch_of(canary("l3_default_route"))
        self.gateway = watch_of(canary("l3_gateway"))
        for watch in (self.route, self.gateway):
            scheduler.add(watch)
            self.see(watch, good=True)
        self.remembered: list[KnownGood] = []
        self.learning = Learning(self.host, scheduler, Interests(reached=("198.19.0.2",)), self.remembered.append)

    def see(self, watch: Watch, *, good: bool) -> None:
        watch.ever_good |= good
        watch.condition.observe(Reading(ok=good), self.host.clock.now())

    @property
    def good(self) -> KnownGood:
        return self.host.known.good


async def test_a_healthy_host_is_known_after_some_seconds_and_remembered() -> None:
    learner = Learner()
    task = asyncio.ensure_future(learner.learning.run())
    await asyncio.sleep(10)
    task.cancel()
    good = learner.good
    assert (good.uplink, good.mtu, good.addresses) == ("host0", 1500, ("198.18.0.2/16",))
    assert good.default_routes == (Route(interface="host0", gateway="198.18.0.1"),)
    assert good.neighbours == {"198.18.0.1": "02:00:00:00:00:01"} and good.name_servers == ("198.18.0.1",)
    assert good.routes.keys() == {"198.18.0.1", "198.19.0.2"} and "198.19.0.2" in good.upstream
    assert learner.remembered == [good], "what does not change is not written again"


async def test_nothing_is_learned_while_something_looks_bad() -> None:
    learner = Learner()
    learner.see(learner.gateway, good=False)
    task = asyncio.ensure_future(learner.learning.run())
    await asyncio.sleep(ACCEPT_S * 3)
    assert learner.good.learned_at is None
    learner.see(learner.gateway, good=True)
    await asyncio.sleep(10)
    task.cancel()
    assert learner.good.learned_at is not None


async def test_what_was_never_good_here_keeps_nobody_from_learning() -> None:
    learner = Learner()
    learner.gateway.ever_good = False
    for _ in range(2):
        learner.see(learner.gateway, good=False)
    assert learner.learning.calm(learner.host.clock.now())


@pytest.mark.parametrize(("harmless", "after_s"), [(True, ACCEPT_S), (False, None)])
async def test_a_change_that_only_a_comparison_minds_is_taken_as_meant_in_the_end(
    harmless: bool, after_s: float | None
) -> None:
    learner = Learner()
    await learner.learning.learn()
    learner.see(learner.route, good=False)
    if not harmless:
        learner.see(learner.gateway, good=False)
    waited_s = 0.0
    while not learner.learning.calm(learner.host.clock.now()) and waited_s < 3 * ACCEPT_S:
        await asyncio.sleep(10)
        waited_s += 10
    assert waited_s == (after_s if after_s is not None else 3 * ACCEPT_S)


async def test_a_change_is_learned_only_after_a_calm_minute() -> None:
    learner = Learner()
    await learner.learning.learn()
    learner.see(learner.route, good=False)
    assert not learner.learning.calm(learner.host.clock.now())
    learner.see(learner.route, good=True)
    assert await until(lambda: learner.learning.calm(learner.host.clock.now())) == pytest.approx(CALM_S, abs=1)


async def test_an_operator_is_told_what_is_good_from_now_on() -> None:
    learner = Learner()
    await learner.learning.learn()
    learner.host.netlink.own["host0"] = [Address(address="198.18.0.9", prefix=16)]
    assert await learner.learning.learn() == ["addresses: 198.18.0.9/16, was 198.18.0.2/16"]
    assert await learner.learning.learn() == []


async def test_what_cannot_be_told_stays_as_it_was_known() -> None:
    learner = Learner()
    await learner.learning.learn()
    before = learner.good
    learner.host.netlink.unreadable = "no permission"
    with pytest.raises(ProbeError, match="no permission"):
        await learner.learning.learn()
    assert learner.good == before


def test_differences_are_said_for_people() -> None:
    before = KnownGood(uplink="eth0", default_routes=(Route(interface="eth0", gateway="10.0.0.1"),))
    now = msgspec.structs.replace(before, mtu=1500, default_routes=(Route(interface="eth0", gateway=None),))
    assert differences(before, now) == ["mtu: 1500", "default_routes: dev eth0, was via 10.0.0.1 dev eth0"]


async def test_who_had_nothing_to_compare_with_looks_at_once_when_something_is_known() -> None:
    learner = Learner()
    await learner.learning.learn()
    assert learner.route.hastened.is_set() and learner.gateway.hastened.is_set()
