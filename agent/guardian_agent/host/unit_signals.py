"""What systemd tells by itself of the units that are watched (org.freedesktop.systemd1(5), "Signals")."""

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING
from weakref import WeakSet

import msgspec

from guardian_agent.host import UnitEvent
from guardian_agent.host.bus import DAEMON, MANAGER, PROPERTIES, SYSTEMD, BusError, SystemBus, unit_at, unit_path
from guardian_agent.host.jobs import Jobs, UnitEvents

if TYPE_CHECKING:
    from dbus_fast import Message

BACK_OFF_S = (0.1, 5.0)  # between attempts to reach the bus: the first pause, and the longest
SUBSCRIBED_ALREADY = f"{SYSTEMD}.AlreadySubscribed"
SIGNALS_ALWAYS = (
    f"type='signal',sender='{DAEMON}',member='NameOwnerChanged',arg0='{SYSTEMD}'",
    f"type='signal',sender='{SYSTEMD}',interface='{MANAGER}',member='Reloading'",
)


class UnitSignals:
    """Only what concerns watched units crosses the bus: every match rule names one of them.

    UnitNew is not among the signals: asking for an idle unit's state makes systemd load it, which would make us ask
    again. A start of such a unit shows by its job.
    """

    def __init__(self, bus_address: str | None = None) -> None:
        self.bus = SystemBus(bus_address, self._received, self._lost)
        self.jobs = Jobs(self._emit, lambda path: self.bus.ask(path, f"{SYSTEMD}.Job", "JobType"))
        self._watched: set[str] = set()
        self._subscribers: WeakSet[UnitEvents] = WeakSet()
        self._followed: set[str] = set()  # by the names we use …
        self._names: defaultdict[str, set[str]] = defaultdict(set)  # … systemd's own name → those (aliases)
        self._subscribed = False
        self._reloading = False
        self._keeper: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    async def close(self) -> None:
        """Ends the events and the connection."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        for subscriber in self._subscribers:
            subscriber.put(None)
        await self.bus.close()

    def events(self) -> UnitEvents:
        """See `LocalUnits.events`."""
        subscriber = UnitEvents()
        self._subscribers.add(subscriber)
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep(), name="unit events")
        return subscriber

    def watch(self, unit: str) -> None:
        """From now on `events` tells of this unit."""
        if unit not in self._watched:
            self._watched.add(unit)
            self._followed.discard(unit)
            self._wake.set()

    async def follow(self, unit: str) -> None:
        """Lets the signals of one unit in. Raises BusError."""
        await self._subscribe()
        if unit in self._followed:
            return
        try:
            own_name = unit_at((await self.bus.call("LoadUnit", "s", unit))[0])
        except BusError as error:
            if not error.name:
                raise
            return  # no unit can have that name: nothing will be told of it, and an operation on it fails by itself
        await self.bus.match(f"type='signal',sender='{SYSTEMD}',interface='{MANAGER}',arg2='{own_name}'")
        # Every change is told twice, by the type's interface and then by this one.
        changes = f"type='signal',sender='{SYSTEMD}',interface='{PROPERTIES}',arg0='{SYSTEMD}.Unit'"
        await self.bus.match(f"{changes},path='{unit_path(own_name)}'")
        state = await self.bus.property(unit_path(own_name), f"{SYSTEMD}.Unit", "ActiveState", "")
        self.jobs.unit_is(own_name, state)
        self._names[own_name].add(unit)
        self._followed.add(unit)
        if unit in self._watched:
            self._emit(UnitEvent(unit=own_name, kind="changed", missed=True))

    async def _subscribe(self) -> None:
        for rule in SIGNALS_ALWAYS:
            await self.bus.match(rule)
        if not self._subscribed:
            try:
                await self.bus.call("Subscribe")
            except BusError as error:
                if error.name != SUBSCRIBED_ALREADY:
                    raise
            self._subscribed = True

    async def _keep(self) -> None:
        """Keeps the connection, and the rules on it, as long as somebody wants events."""
        pause_s = BACK_OFF_S[0]
        while True:
            self._wake.clear()
            try:
                for unit in sorted(self._watched - self._followed):
                    await self.follow(unit)
            except (BusError, TimeoutError):
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, BACK_OFF_S[1])
                continue
            pause_s = BACK_OFF_S[0]
            await self._wake.wait()

    def _start_over(self) -> None:
        """Signals may have been missed, and names may have changed: every unit is followed anew."""
        self._reloading = False
        self._followed.clear()
        self._names.clear()
        self.jobs.forget_units()
        self._wake.set()

    def _lost(self) -> None:
        self._subscribed = False
        self.jobs.lost(BusError("", "lost the system bus before the job was done: its result is unknown"))
        self._start_over()

    def _received(self, message: "Message") -> None:
        """Every message, in the order of the bus; nothing here waits."""
        if message.reply_serial:
            self.jobs.replied(message)
            return
        match message.interface, message.member, message.body:
            case "org.freedesktop.DBus.Properties", "PropertiesChanged", [_, properties, _] if not self._reloading:
                self.jobs.unit_changed(unit_at(message.path or ""), properties)
            case "org.freedesktop.systemd1.Manager", "JobNew", [job_id, path, unit]:
                self.jobs.new(job_id, path, unit)
            case "org.freedesktop.systemd1.Manager", "JobRemoved", [job_id, _, unit, result]:
                self.jobs.removed(job_id, unit, result)
            case "org.freedesktop.systemd1.Manager", "Reloading", [active]:
                if active:
                    self._reloading = True
                else:
                    self._start_over()
            case "org.freedesktop.DBus", "NameOwnerChanged", ["org.freedesktop.systemd1", _, new] if new:
                self._subscribed = False
                self._start_over()

    def _emit(self, event: UnitEvent) -> None:
        for unit in sorted(self._names[event.unit] & self._watched) if event.unit in self._names else ():
            for subscriber in self._subscribers:
                subscriber.put(msgspec.structs.replace(event, unit=unit))
