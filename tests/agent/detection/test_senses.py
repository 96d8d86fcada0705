import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.agent.detection.host_watches import canary, scheduler_of, watch_of
from tests.agent.fake_host import FakeHost

from guardian_agent.detection.scheduler import Scheduler
from guardian_agent.detection.senses import Senses
from guardian_agent.errors import ProbeError
from guardian_agent.host.known_good import KnownGood


@contextlib.asynccontextmanager
async def sensing(host: FakeHost, *probe_ids: str) -> AsyncIterator[Scheduler]:
    scheduler = scheduler_of(host, *probe_ids)
    running = asyncio.ensure_future(Senses(host, scheduler).run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    yield scheduler
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def hastened(scheduler: Scheduler) -> set[str]:
    return {watch.probe_id for watch in scheduler.watches.values() if watch.hastened.is_set()}


async def test_a_change_has_those_looked_at_whom_it_concerns_and_nobody_else() -> None:
    host = FakeHost()
    ids = ("l1_carrier", "l3_default_route", "l3_routes", "host_memory", "host_cpu")
    for kind, expected in (
        ("link", {"l1_carrier", "l3_default_route", "l3_routes"}),
        ("route", {"l3_default_route", "l3_routes"}),
        ("rule", {"l3_routes"}),
        ("missed", {"l1_carrier", "l3_default_route", "l3_routes"}),
        ("something new", {"l1_carrier", "l3_default_route", "l3_routes"}),
    ):
        async with sensing(host, *ids) as scheduler:
            host.netlink.emit(kind)
            await asyncio.sleep(0.001)
            assert hastened(scheduler) == expected, kind


async def test_pressure_has_the_probe_of_that_resource_looked_at() -> None:
    host = FakeHost()
    async with sensing(host, "host_memory", "host_cpu", "l1_carrier") as scheduler:
        host.kernel.emit("memory")
        await asyncio.sleep(0.001)
        assert hastened(scheduler) == {"host_memory"}


async def test_a_component_is_not_looked_at_for_what_happens_to_the_host() -> None:
    host = FakeHost()
    async with sensing(host, "l1_carrier") as scheduler:
        watch = next(iter(scheduler.watches.values()))
        watch.target = "web"
        host.netlink.emit("link")
        await asyncio.sleep(0.001)
        assert not watch.hastened.is_set()


async def test_a_kernel_that_cannot_be_heard_is_tried_again_and_the_other_one_heard_meanwhile() -> None:
    host = FakeHost()
    real, tries = host.netlink.events, 0

    def events() -> object:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ProbeError("no socket left")
        return real()

    host.netlink.events = events  # type: ignore[method-assign, assignment]
    async with sensing(host, "l1_carrier", "host_io") as scheduler:
        host.kernel.emit("io")
        await asyncio.sleep(1)
        assert hastened(scheduler) == {"host_io"}
        await asyncio.sleep(11)
        host.netlink.emit("link")
        await asyncio.sleep(0.001)
        assert hastened(scheduler) == {"host_io", "l1_carrier"}


async def test_the_link_of_a_container_concerns_nobody_and_the_uplinks_does() -> None:
    host = FakeHost()
    host.known.good = KnownGood(uplink="wan0")
    for interface, expected in (("veth12", set()), ("wan0", {"l1_carrier"}), ("host0", {"l1_carrier"})):
        async with sensing(host, "l1_carrier") as scheduler:
            host.netlink.emit("link", interface)
            await asyncio.sleep(0.001)
            assert hastened(scheduler) == expected, interface


async def test_what_sends_packets_is_had_look_every_two_seconds_at_most_and_once_more_at_the_end() -> None:
    host = FakeHost()
    async with sensing(host, "l3_routes") as scheduler:
        asks = watch_of(canary("l3_upstream", reads=False))
        scheduler.add(asks)
        looked_s, began_s = [], asyncio.get_running_loop().time()
        for number in range(700):
            if number < 300 and number % 4 == 0:
                host.netlink.emit("route")
            await asyncio.sleep(0.01)
            if asks.hastened.is_set():
                asks.hastened.clear()
                looked_s.append(round(asyncio.get_running_loop().time() - began_s, 1))
        assert looked_s == [0.0, 2.0, 4.0], "the last for what came after the second"
