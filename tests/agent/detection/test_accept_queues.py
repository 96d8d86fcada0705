import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.agent.detection.host_watches import canary, watch_of
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import PORT, WEB

from guardian_agent.detection.accept_queues import AGAIN_S, CONFIRM_S, POLL_S, AcceptQueues
from guardian_agent.detection.scheduler import Scheduler, Watch
from guardian_agent.host import Listener


def waiting(host: FakeHost, connections: int) -> None:
    host.sockets.strangers[80] = Listener(endpoint=PORT, uid=33, inode=1, cgroup_id=None, backlog=connections)


@contextlib.asynccontextmanager
async def watching(host: FakeHost) -> AsyncIterator[Watch]:
    scheduler = Scheduler(host, on_look=lambda watch, change: None, is_quiet=lambda target: False)
    watch = watch_of(canary("l4_accept"), target="web")
    scheduler.add(watch)
    running = asyncio.ensure_future(AcceptQueues(host, [WEB], scheduler).run())
    yield watch
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_queue_that_does_not_get_shorter_has_the_component_looked_at() -> None:
    host = FakeHost()
    async with watching(host) as watch:
        waiting(host, 0)
        await asyncio.sleep(1)
        assert not watch.hastened.is_set()
        waiting(host, 2)
        await asyncio.sleep(POLL_S + CONFIRM_S + 0.01)
        assert watch.hastened.is_set()


async def test_a_queue_that_moves_is_a_busy_server() -> None:
    host = FakeHost()
    async with watching(host) as watch:
        for _ in range(20):
            waiting(host, 0)
            await asyncio.sleep(POLL_S - CONFIRM_S / 2)
            waiting(host, 3)
            await asyncio.sleep(CONFIRM_S)
            waiting(host, 1)  # two of them were taken
            await asyncio.sleep(CONFIRM_S / 2)
        assert not watch.hastened.is_set()


async def test_a_queue_that_merely_stays_is_not_told_of_all_the_time() -> None:
    host = FakeHost()
    waiting(host, 5)
    async with watching(host) as watch:
        told = 0
        for _ in range(100):
            await asyncio.sleep(POLL_S)
            told += watch.hastened.is_set()
            watch.hastened.clear()
        assert 100 * POLL_S / AGAIN_S / 2 <= told <= 100 * POLL_S / AGAIN_S + 1
