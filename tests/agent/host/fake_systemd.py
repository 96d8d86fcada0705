"""A bus of our own, and on it a stand-in for systemd that answers and signals as org.freedesktop.systemd1(5) says."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from dbus_fast import Message, MessageType, RequestNameReply, Variant
from dbus_fast.aio import MessageBus

from guardian_agent.host.bus import MANAGER, MANAGER_PATH, PROPERTIES, SYSTEMD, unit_at, unit_path

CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="false"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
"""
GONE = ("org.freedesktop.DBus.Error.UnknownObject", "Unknown object")


class Bus:
    """A dbus-daemon that can be started and killed; its address stays."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "bus"
        self._file = folder / "bus.conf"
        self._file.write_text(CONFIGURATION.format(socket=self._socket))
        self._process: asyncio.subprocess.Process | None = None
        self.address = f"unix:path={self._socket}"

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            "dbus-daemon", f"--config-file={self._file}", "--nofork", "--print-address", stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        await self._process.stdout.readline()  # it says its address once it listens

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.communicate()
            self._process = None
            self._socket.unlink(missing_ok=True)


class FakeSystemd:
    """Units are dictionaries of properties; jobs wait until the test ends them, or end at once by `finish`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._bus: MessageBus | None = None
        self.units: dict[str, dict[str, object]] = {}
        self.aliases: dict[str, str] = {}
        self.jobs: dict[int, tuple[str, str]] = {}
        self.results: dict[str, str] = {}  # by unit: its jobs end at once, like this
        self.errors: dict[str, tuple[str, str]] = {}  # by method: refused like this
        self.calls: list[tuple[object, ...]] = []
        self.silent: set[str] = set()  # methods that are never answered
        self.impossible: set[str] = set()  # names that are refused
        self.next_job = 100
        self.job_queued = asyncio.Event()

    async def start(self) -> None:
        self._bus = await MessageBus(self._address).connect()
        self._bus.add_message_handler(self._handle)
        assert await self._bus.request_name(SYSTEMD) is RequestNameReply.PRIMARY_OWNER

    async def stop(self) -> None:
        if self._bus is not None:
            self._bus.disconnect()
            with suppress(EOFError, OSError):  # its bus may be gone already
                await self._bus.wait_for_disconnect()
            self._bus = None

    def add(self, unit: str, **properties: object) -> None:
        self.units[unit] = {
            "LoadState": "loaded", "ActiveState": "active", "SubState": "running",
            "Result": "success", "MainPID": 7, "ControlGroup": f"/system.slice/{unit}", "NRestarts": 0,
            "ActiveEnterTimestampMonotonic": 0,
        } | properties  # fmt: skip

    def signal(self, member: str, signature: str, *body: object, path: str = MANAGER_PATH, to: str = MANAGER) -> None:
        self._connection.send(
            Message(
                message_type=MessageType.SIGNAL,
                path=path,
                interface=to,
                member=member,
                signature=signature,
                body=list(body),
            )
        )

    def changed(self, unit: str, active_state: str = "failed") -> None:
        body: tuple[object, ...] = (f"{SYSTEMD}.Unit", {"ActiveState": Variant("s", active_state)}, [])
        self.signal("PropertiesChanged", "sa{sv}as", *body, path=unit_path(unit), to=PROPERTIES)

    def queue(self, unit: str, kind: str) -> int:
        """A job begins."""
        self.next_job += 1
        self.jobs[self.next_job] = (unit, kind)
        self.job_queued.set()
        self.signal("JobNew", "uos", self.next_job, job_path(self.next_job), unit)
        return self.next_job

    def finish(self, job_id: int, result: str = "done") -> None:
        """A job ends."""
        unit, _ = self.jobs.pop(job_id)
        self.signal("JobRemoved", "uoss", job_id, job_path(job_id), unit, result)

    def _handle(self, message: Message) -> Message | bool | None:
        names = (SYSTEMD, self._connection.unique_name)
        if message.message_type is not MessageType.METHOD_CALL or message.destination not in names:
            return None
        self.calls.append((message.member, *message.body))
        if message.member in self.silent:
            return True
        if error := self.errors.get(message.member or ""):
            return Message.new_error(message, *error)
        return getattr(self, f"_{message.member}")(message, *message.body)

    @property
    def _connection(self) -> MessageBus:
        assert self._bus is not None, "not started"
        return self._bus

    def _Subscribe(self, message: Message) -> Message:  # noqa: N802
        return Message.new_method_return(message)

    def _LoadUnit(self, message: Message, unit: str) -> Message:  # noqa: N802
        if unit in self.impossible:
            return Message.new_error(
                message, "org.freedesktop.DBus.Error.InvalidArgs", f"Unit name {unit} is not valid."
            )
        return Message.new_method_return(message, "o", [unit_path(self.aliases.get(unit, unit))])

    def _ListUnitsByNames(self, message: Message, units: list[str]) -> Message:  # noqa: N802
        rows = []
        for unit in filter(re.compile(r"[\w@:.\\-]+\.[a-z]+").fullmatch, units):  # other names are passed over
            has = self.units.get(unit, {"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead"})
            job, kind = next(((number, kind) for number, (of, kind) in self.jobs.items() if of == unit), (0, ""))
            states = [has["LoadState"], has["ActiveState"], has["SubState"]]
            rows.append([unit, "A unit", *states, "", unit_path(unit), job, kind, job_path(job) if job else "/"])
        return Message.new_method_return(message, "a(ssssssouso)", [rows])

    def _ListUnitsFiltered(self, message: Message, states: list[str]) -> Message:  # noqa: N802
        rows = [
            [unit, "A unit", has["LoadState"], has["ActiveState"], has["SubState"], "", unit_path(unit), 0, "", "/"]
            for unit, has in self.units.items()
            if has["ActiveState"] in states
        ]
        return Message.new_method_return(message, "a(ssssssouso)", [rows])

    def _Get(self, message: Message, interface: str, name: str) -> Message:  # noqa: N802
        assert message.path is not None  # every call has one
        if interface == f"{SYSTEMD}.Job":
            job = self.jobs.get(int(message.path.rpartition("/")[2]))
            return (
                Message.new_method_return(message, "v", [Variant("s", job[1])])
                if job
                else Message.new_error(message, *GONE)
            )
        has = self.units.get(unit_at(message.path), {})
        if name not in has:
            return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownProperty", "Unknown property")
        told = has[name]
        value = told if isinstance(told, Variant) else Variant("u" if isinstance(told, int) else "s", told)
        return Message.new_method_return(message, "v", [value])

    def _job(self, message: Message, unit: str, kind: str) -> bool:
        unit = self.aliases.get(unit, unit)
        job_id = self.queue(unit, kind)
        self._connection.send(Message.new_method_return(message, "o", [job_path(job_id)]))
        if unit in self.results:
            self.finish(job_id, self.results[unit])
        return True

    def _StartUnit(self, message: Message, unit: str, _mode: str) -> bool:  # noqa: N802
        return self._job(message, unit, "start")

    def _StopUnit(self, message: Message, unit: str, _mode: str) -> bool:  # noqa: N802
        return self._job(message, unit, "stop")

    def _RestartUnit(self, message: Message, unit: str, _mode: str) -> bool:  # noqa: N802
        return self._job(message, unit, "restart")

    def _GetUnit(self, message: Message, unit: str) -> Message:  # noqa: N802
        return Message.new_method_return(message, "o", [unit_path(self.aliases.get(unit, unit))])

    def _SetUnitProperties(self, message: Message, *_: object) -> Message:  # noqa: N802
        return Message.new_method_return(message)

    def _Reload(self, message: Message) -> Message:  # noqa: N802
        return Message.new_method_return(message)

    def _KillUnit(self, message: Message, *_: object) -> Message:  # noqa: N802
        return Message.new_method_return(message)

    def _ResetFailedUnit(self, message: Message, _unit: str) -> Message:  # noqa: N802
        return Message.new_method_return(message)


def job_path(job_id: int) -> str:
    return f"{MANAGER_PATH}/job/{job_id}"


@asynccontextmanager
async def fake_systemd(folder: Path) -> AsyncIterator[tuple[Bus, FakeSystemd]]:
    """A bus with the stand-in on it."""
    bus = Bus(folder)
    await bus.start()
    systemd = FakeSystemd(bus.address)
    await systemd.start()
    try:
        yield bus, systemd
    finally:
        await systemd.stop()
        await bus.kill()
