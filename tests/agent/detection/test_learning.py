import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from tests.agent.detection.host_watches import canary, watch_of
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import until

from guardian_agent.detection.first_sight import Interests
from guardian_agent.detection.learning import ACCEPT_S, ASK_S, CALM_S, SEE_S, Learning, differences
from guardian_agent.detection.looking import Look
from guardian_agent.detection.scheduler import Scheduler, Watch
from guardian_agent.errors import ProbeError
from guardian_agent.host import Address, Echo, KnownGood, Route, RouteEntry, Routing, RuleEntry
from guardian_agent.model import Component, Reading, Releases, Schedule
from guardian_agent.probes.host_release import HostRelease

UPSTREAM = "198.19.0.2"
CURRENT = "/srv/shop/current"
DEPLOYED = Component(name="shop", releases=Releases(folder="/srv/shop", current=CURRENT))


class Learner:
    """A `Learning` beside a probe of each kind, whose last look a test sets."""

    def __init__(self) -> None:
        self.host = FakeHost()
        self.scheduler = Scheduler(self.host, on_look=lambda watch, change: None, is_quiet=lambda target: False)
        self.route = watch_of(canary("l3_default_route"))
        self.gateway = watch_of(canary("l3_gateway"))
        for watch in (self.route, self.gateway):
            self.scheduler.add(watch)
            self.see(watch, good=True)
        self.remembered: list[KnownGood] = []
        interests = Interests(reached=(UPSTREAM,), components=(DEPLOYED,))
        self.learning = Learning(self.host, self.scheduler, interests, self.remembered.append)

    def see(self, watch: Watch, *, good: bool) -> None:
        type(watch.probe).good = good  # type: ignore[attr-defined]
        watch.ever_good |= good
        watch.condition.observe(Reading(ok=good), self.host.clock.now())

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.ensure_future(run()) for run in (self.learning.run, self.scheduler.run)]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def good(self) -> KnownGood:
        return self.host.known.good


async def test_a_healthy_host_is_known_after_some_seconds_and_remembered() -> None:
    learner = Learner()
    async with learner.running():
        await asyncio.sleep(10)
    good = learner.good
    assert (good.uplink, good.mtu, good.addresses) == ("host0", 1500, ("198.18.0.2/16",))
    assert good.default_routes == (Route(interface="host0", gateway="198.18.0.1"),)
    assert good.neighbours == {"198.18.0.1": "02:00:00:00:00:01"} and good.name_servers == ("198.18.0.1",)
    assert good.routes.keys() == {"198.18.0.1", UPSTREAM} and UPSTREAM in good.upstream
    assert learner.remembered == [good], "what does not change is not written again"


async def test_nothing_is_learned_while_something_looks_bad() -> None:
    learner = Learner()
    learner.see(learner.gateway, good=False)
    async with learner.running():
        await asyncio.sleep(ACCEPT_S * 3)
        assert learner.good.learned_at is None
        learner.see(learner.gateway, good=True)
        await asyncio.sleep(10)
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


async def test_who_saw_something_bad_and_cannot_tell_any_more_does_not_hold_a_change_up_for_ever() -> None:
    learner = Learner()
    await learner.learning.learn()
    carrier = watch_of(canary("l1_carrier"))
    learner.scheduler.add(carrier)
    carrier.ever_good = True
    learner.see(carrier, good=False)
    learner.see(learner.route, good=False)
    carrier.last_look = Look(at=learner.host.clock.now(), unknown="the default route goes by eth1 now")
    assert not learner.learning.calm(learner.host.clock.now())
    assert await until(
        lambda: learner.learning.calm(learner.host.clock.now()), 2 * ACCEPT_S, step_s=1
    ) == pytest.approx(ACCEPT_S, abs=1)


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


@pytest.mark.parametrize("outage_after_s", [0.0, 0.3, 1.0, 2.5])
async def test_an_outage_that_begins_while_it_looks_is_not_learned(outage_after_s: float) -> None:
    learner = Learner()
    asked = learner.host.packets.echo

    async def echo(address: str, timeout_s: float, **how: Any) -> Echo:
        if address == UPSTREAM and not learner.route.condition.looks_bad:
            await asyncio.sleep(outage_after_s)
            learner.see(learner.route, good=False)
            learner.host.packets.silent.add(UPSTREAM)
        return await asked(address, timeout_s, **how)

    learner.host.packets.echo = echo  # type: ignore[method-assign]
    async with learner.running():
        await asyncio.sleep(60)
        assert learner.good.learned_at is None


async def test_who_does_not_answer_any_more_is_given_up_only_after_an_hour() -> None:
    learner = Learner()
    async with learner.running():
        await asyncio.sleep(10)
        learner.host.packets.silent.add(UPSTREAM)
        await asyncio.sleep(ACCEPT_S - 60)
        assert UPSTREAM in learner.good.upstream and UPSTREAM in learner.good.path_mtus
        await asyncio.sleep(2 * ASK_S + CALM_S)
        assert UPSTREAM not in learner.good.upstream
        learner.host.packets.silent.clear()
        await asyncio.sleep(2 * ASK_S)
        assert UPSTREAM in learner.good.upstream


async def test_an_operator_is_told_who_does_not_answer_and_stays_known_in_an_outage_and_else_gives_it_up() -> None:
    learner = Learner()
    await learner.learning.learn()
    learner.host.packets.silent |= {UPSTREAM, "198.18.0.1"}
    watch = watch_of(canary("l2_neighbour"))
    learner.scheduler.add(watch)
    watch.ever_good = True
    learner.see(watch, good=False)
    said = await learner.learning.learn()
    kept = f"upstream: {UPSTREAM} does not answer now and stays known, since l2_neighbour looks bad"
    assert kept in said and UPSTREAM in learner.good.upstream and learner.good.echoing_gateways == ("198.18.0.1",)
    learner.see(watch, good=True)
    learner.see(learner.gateway, good=False)
    said = await learner.learning.learn()
    assert "echoing_gateways: none, was 198.18.0.1" in said, "an operator knows that it begins to filter"
    assert UPSTREAM in learner.good.upstream
    learner.see(learner.gateway, good=True)
    assert "upstream: none" in (await learner.learning.learn())[0] and learner.good.upstream == ()


async def test_a_file_system_that_turns_read_only_stays_known_as_writable_for_an_hour_that_hurts_nobody() -> None:
    learner = Learner()
    root = learner.host.files.mounted[0]
    component = watch_of(canary("l7_http"), "shop")
    learner.scheduler.add(component)
    learner.see(component, good=False)
    async with learner.running():
        await asyncio.sleep(10)
        learner.host.files.mounted = [msgspec.structs.replace(root, read_only=True)]
        await asyncio.sleep(ACCEPT_S + 2 * SEE_S)
        assert learner.good.file_systems == {"/": True}
        learner.see(component, good=True)
        await asyncio.sleep(ACCEPT_S - SEE_S)
        assert learner.good.file_systems == {"/": True}
        await asyncio.sleep(3 * SEE_S)
        assert learner.good.file_systems == {"/": False}


async def test_an_operators_word_makes_a_read_only_file_system_good_at_once() -> None:
    learner = Learner()
    await learner.learning.learn()
    learner.host.files.mounted = [msgspec.structs.replace(learner.host.files.mounted[0], read_only=True)]
    assert await learner.learning.learn() == ["file_systems: / False, was / True"]


def deploy(learner: Learner, release: str) -> None:
    learner.host.files.link(CURRENT, release, modified_wall_s=learner.host.clock.now().wall_ns / 1e9)


@pytest.mark.parametrize("blamed_for_s", [600.0, 120.0])
async def test_a_release_is_good_only_after_the_time_in_which_it_is_to_blame_was_good(blamed_for_s: float) -> None:
    learner = Learner()
    for release in ("1", "2"):
        learner.host.files.put(f"/srv/shop/{release}")
    deploy(learner, "1")
    probe = HostRelease(component="shop", current=CURRENT, blamed_for_s=blamed_for_s)
    component = watch_of(canary("l7_http"), "shop")
    learner.scheduler.add(Watch(probe, "shop", Schedule(interval_s=1.0), quiet_until_s=0.0))
    learner.scheduler.add(component)
    async with learner.running():
        await asyncio.sleep(10)
        assert learner.good.releases == {"shop": "1"}, "the first that is seen is what later ones are compared with"
        await asyncio.sleep(3600)
        deploy(learner, "2")
        await asyncio.sleep(blamed_for_s - 60)
        assert learner.good.releases == {"shop": "1"}
        learner.see(component, good=False)
        await asyncio.sleep(5)
        learner.see(component, good=True)
        await asyncio.sleep(blamed_for_s - 10)
        assert learner.good.releases == {"shop": "1"}, "it was not well for all that time"
        await asyncio.sleep(2 * SEE_S)
        assert learner.good.releases == {"shop": "2"}


async def test_an_operators_word_makes_a_new_release_good_at_once() -> None:
    learner = Learner()
    deploy(learner, "1")
    await learner.learning.learn()
    deploy(learner, "2")
    assert await learner.learning.learn() == ["releases: shop 2, was shop 1"]


async def test_others_are_asked_every_five_minutes_or_when_the_network_of_this_host_has_changed() -> None:
    learner = Learner()
    async with learner.running():
        await asyncio.sleep(10)
        learner.host.packets.echoes.clear()
        await asyncio.sleep(ASK_S - 20)
        assert learner.host.packets.echoes == []
        await asyncio.sleep(40)
        assert 0 < len(learner.host.packets.echoes) < 20
        learner.host.packets.echoes.clear()
        learner.host.netlink.own["host0"].append(Address(address="198.18.0.7", prefix=16))
        await asyncio.sleep(SEE_S + 10)
        assert learner.host.packets.echoes and "198.18.0.7/16" in learner.good.addresses


async def test_routes_and_rules_are_learned_and_told_by_the_entry() -> None:
    learner = Learner()
    await learner.learning.learn()
    host = learner.host
    host.netlink.more_routes.append(RouteEntry(destination="10.0.0.0/8", gateway="198.18.0.9", interface="host0"))
    host.netlink.rules.append(RuleEntry(ipv6=False, priority=100, table=7, to="10.0.0.0/8"))
    told = ["10.0.0.0/8 via 198.18.0.9 dev host0 proto static", "rule 100: from all to 10.0.0.0/8 lookup 7"]
    assert await learner.learning.learn() == [f"routing: {one}" for one in told]
    host.netlink.more_routes.clear()
    assert await learner.learning.learn() == [f"routing: {told[0]} no more"]


@pytest.mark.parametrize("interface", ["cali7f", "docker0", "tun9"])
async def test_what_comes_and_goes_with_containers_and_tunnels_is_not_learned(interface: str) -> None:
    learner = Learner()
    await learner.learning.learn()
    learner.host.netlink.more_routes.append(RouteEntry(destination="10.7.7.7/32", interface=interface))
    learner.host.netlink.own[interface] = [Address(address="172.17.0.1", prefix=16)]
    assert await learner.learning.learn() == []


async def test_on_a_router_with_too_many_routes_all_else_is_learned() -> None:
    learner = Learner()
    await learner.learning.learn()
    known = learner.host.known.good.routing

    async def too_many() -> Routing:
        raise ProbeError("thousands")

    setattr(learner.host.netlink, "routing", too_many)  # noqa: B010 - an instance's own, for mypy
    learner.host.netlink.links["host0"] = msgspec.structs.replace(learner.host.netlink.links["host0"], mtu=9000)
    assert "mtu: 9000, was 1500" in await learner.learning.learn()
    assert learner.host.known.good.routing == known
