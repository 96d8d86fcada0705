"""What of the host itself changes or runs short, and so is looked at at once? None of it judges."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping

from guardian_agent.detection.scheduler import Scheduler, Watch
from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.probes.base import PATH, is_host_target

log = logging.getLogger(__name__)

GENTLY_S = 2.0  # at most so often an event has a probe look that sends packets
QUIET_S = 0.02  # after something was heard: what a busy router tells comes in one go
AGAIN_S = 5.0  # after the kernel could not be heard

# Who looks again when something changes; a probe that asks others by packets does so at most every two seconds,
# since each container that starts changes links, addresses and routes.
ON_CHANGE: Mapping[str, tuple[str, ...]] = {
    "link": PATH,
    "address": ("l3_addresses", "l3_default_route", "l3_routes", "l2_duplicate_address", "l3_gateway"),
    "route": ("l3_default_route", "l3_routes", "l3_gateway", "l3_upstream"),
    "rule": ("l3_routes", "l3_upstream"),
    "neighbour": ("l2_neighbour", "l2_gateway_mac", "l3_gateway"),
    "missed": PATH,
}


class Senses:
    """Hears of links, addresses, routes, rules and neighbours, and of pressure."""

    def __init__(self, host: Host, scheduler: Scheduler) -> None:
        self._host = host
        self._scheduler = scheduler
        self._told_s: dict[str, float] = {}  # loop time at which a watch was, or is going to be, hastened last

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_hearing("the network", self._hear_network), name="network events")
            group.create_task(self._keep_hearing("pressure", self._hear_pressure), name="pressure events")

    async def _keep_hearing(self, what: str, hear: Callable[[], Awaitable[None]]) -> None:
        told = False
        while True:
            try:
                await hear()
            except ProbeError as error:
                if not told:
                    log.warning("%s cannot be heard, so each probe looks at its interval only: %s", what, error)
                told = True
            await asyncio.sleep(AGAIN_S)

    async def _hear_network(self) -> None:
        async with contextlib.aclosing(self._host.netlink.events()) as events:
            async for event in events:
                gateways = self._host.known.good.neighbours
                if event.address and gateways and event.address not in gateways:
                    continue  # a neighbour like any other
                if event.kind == "link" and event.interface and not await self._matters(event.interface):
                    continue  # such as a container's
                self._hasten(ON_CHANGE.get(event.kind, PATH), at_once=event.address in gateways)
                await asyncio.sleep(QUIET_S)

    async def _hear_pressure(self) -> None:
        async with contextlib.aclosing(self._host.kernel.pressure_events()) as events:
            async for resource in events:
                self._hasten((f"host_{resource}",), at_once=True)
                await asyncio.sleep(QUIET_S)

    async def _matters(self, interface: str) -> bool:
        """Whether something that is looked at goes by that interface, went when all was good, or is set to."""
        good = self._host.known.good
        routes = (*good.default_routes, *good.routes.values())
        ways = {good.uplink, *(route.interface for route in routes)} - {""}
        ways |= {getattr(watch.probe, "interface", None) or "" for watch in self._scheduler.watches.values()}
        try:
            ways |= {route.interface for route in await self._host.netlink.default_routes()}
        except ProbeError:
            return True
        return interface in ways or not ways - {""}

    def _hasten(self, probe_ids: tuple[str, ...], *, at_once: bool) -> None:
        """Brings their looks forward: to now where that costs others nothing, or `at_once` says so."""
        for watch in self._scheduler.watches.values():
            if watch.probe_id in probe_ids and is_host_target(watch.target):
                if at_once or watch.probe.reads_kernel_state:
                    watch.hastened.set()
                else:
                    self._hasten_gently(watch)

    def _hasten_gently(self, watch: Watch) -> None:
        loop = asyncio.get_running_loop()
        told_s = self._told_s.get(watch.key, -GENTLY_S)
        if told_s > loop.time():
            return  # it is going to look, and sees this too
        self._told_s[watch.key] = due_s = max(loop.time(), told_s + GENTLY_S)
        if due_s > loop.time():
            loop.call_at(due_s, watch.hastened.set)
        else:
            watch.hastened.set()
