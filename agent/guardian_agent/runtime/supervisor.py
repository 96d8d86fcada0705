"""Keeps the agent's services alive, each for itself, and ends them in order.

A TaskGroup is no outer ring for a daemon: one failing task cancels its siblings, a repair in flight among them.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from guardian_agent.errors import GuardianError

CANCEL_GRACE_S = 5.0  # for what a cancelled service still does in its `finally`
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0

log = logging.getLogger(__name__)


class ServiceFailedError(GuardianError):
    """A service cannot be kept alive, and so the daemon ends."""


class Life:
    """What a running service is handed: it says `started()` once it works, and returns once `stopping` is set."""

    def __init__(self, changed: asyncio.Event) -> None:
        self.stopping = asyncio.Event()
        self.has_started = False
        self._changed = changed

    def started(self) -> None:
        self.has_started = True
        self._changed.set()


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A named coroutine: `run(life)` works until `life.stopping`, then has `drain_s` seconds to finish what it does.

    It is started again when it fails, with a growing pause, unless it has failed `restarts` times within `window_s`
    seconds already. An error of ours before it ever started is not tried again: nothing would be different.
    """

    name: str
    run: Callable[[Life], Awaitable[None]]
    drain_s: float = 5.0
    restarts: int = 5
    window_s: float = 60.0


class _Running:
    def __init__(self, service: Service, life: Life) -> None:
        self.service = service
        self.life = life
        self.failures: deque[float] = deque()
        self.task: asyncio.Task[None]


async def _until_set(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        pass


class Supervisor:
    """Starts services in order, each after the one before it said so, and stops them in reverse.

    `pause` and `monotonic` are there for tests.
    """

    def __init__(
        self,
        services: Sequence[Service],
        *,
        pause: Callable[[asyncio.Event, float], Awaitable[None]] = _until_set,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._services = services
        self._pause = pause
        self._monotonic = monotonic
        self._changed = asyncio.Event()
        self._running: list[_Running] = []
        self._stops = 0
        self._failed: BaseException | None = None

    def stop(self) -> None:
        """Once: every service finishes what it is doing. Twice: they are cancelled."""
        self._stops += 1
        self._changed.set()

    def fail(self, error: GuardianError) -> None:
        """Something that all services need is gone: they are stopped in order, and `run` raises this."""
        self._failed = self._failed or error
        self._changed.set()

    @property
    def ending(self) -> bool:
        """Whether the services are being stopped."""
        return self._must_end()

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Runs the services until `stop()`; calls `ready` once all have said that they started.

        Raises:
            ServiceFailedError: a service used up its restarts; the others were stopped in order first.
            GuardianError: what a service raised before it ever started, or what `fail` was told.
        """
        try:
            for service in self._services:
                self._running.append(self._start(service))
                await self._until(lambda: self._running[-1].life.has_started or self._must_end())
                if self._must_end():
                    break
            else:
                ready()
                await self._until(self._must_end)
        finally:
            for running in reversed(self._running):
                await self._finish(running)
        if error := self._failure():
            raise error

    def _start(self, service: Service) -> _Running:
        running = _Running(service, Life(self._changed))
        running.task = asyncio.create_task(self._keep(running), name=service.name)
        running.task.add_done_callback(lambda _: self._changed.set())
        return running

    def _must_end(self) -> bool:
        return self._stops > 0 or self._failure() is not None

    def _failure(self) -> BaseException | None:
        """Why a service ended for good; None while none has."""
        ended = (running.task for running in self._running if running.task.done() and not running.task.cancelled())
        return next((error for task in ended if (error := task.exception())), self._failed)

    async def _keep(self, running: _Running) -> None:
        """One service, again and again, until it is told to stop or its restarts are used up."""
        service, life = running.service, running.life
        while not life.stopping.is_set():
            reason = "ended by itself"
            try:
                await service.run(life)
            except Exception as error:
                if isinstance(error, GuardianError) and not life.has_started:
                    raise
                log.exception("%s failed", service.name)
                reason = f"{type(error).__name__}: {error}"
            if life.stopping.is_set():
                return
            self._count_failure(running, reason)
            pause_s = min(_FIRST_PAUSE_S * 2 ** (len(running.failures) - 1), _LONGEST_PAUSE_S)
            log.warning("%s is started again in %.1f s: %s", service.name, pause_s, reason)
            await self._pause(life.stopping, pause_s)

    def _count_failure(self, running: _Running, reason: str) -> None:
        service, now = running.service, self._monotonic()
        running.failures.append(now)
        while running.failures[0] < now - service.window_s:
            running.failures.popleft()
        if len(running.failures) > service.restarts:
            text = f"{service.name} failed {len(running.failures)} times in {service.window_s:g} s, last: {reason}"
            raise ServiceFailedError(text)

    async def _finish(self, running: _Running) -> None:
        """Lets one service end: by itself within its time, else cancelled; one that ignores even that is left."""
        running.life.stopping.set()
        try:
            async with asyncio.timeout(running.service.drain_s):
                await self._until(lambda: running.task.done() or self._stops > 1)
        except TimeoutError:
            log.warning("%s did not finish within %g s", running.service.name, running.service.drain_s)
        if running.task.done():
            return
        running.task.cancel()
        _, left = await asyncio.wait({running.task}, timeout=CANCEL_GRACE_S)
        if left:
            log.error("%s did not end when cancelled", running.service.name)

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._changed.clear()
            await self._changed.wait()
