"""One connection to the system bus, made when it is first needed, and calls to systemd's manager over it."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from guardian_agent.errors import GuardianError

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

SYSTEMD = "org.freedesktop.systemd1"
MANAGER_PATH = "/org/freedesktop/systemd1"
MANAGER = f"{SYSTEMD}.Manager"
PROPERTIES = "org.freedesktop.DBus.Properties"
DAEMON = "org.freedesktop.DBus"
CONNECT_LIMIT_S = 5.0
# An object of a type that lacks a property (a socket has no NRestarts) is no fault.
LACKING = {f"{DAEMON}.Error.{what}" for what in ("UnknownProperty", "UnknownInterface", "UnknownObject")}


class BusError(GuardianError):
    """A call was answered with an error, or not at all; `name` is the error's D-Bus name, empty without a bus."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class SystemBus:
    """`on_message` gets every message, before whoever waits for it; `on_loss` is told of a lost connection.

    Calls never ask for interactive authorization: there is nobody to answer. dbus-fast is loaded by the first one.
    """

    def __init__(
        self, address: str | None, on_message: Callable[["Message"], None], on_loss: Callable[[], None]
    ) -> None:
        self._address = address
        self._on_message = on_message
        self._on_loss = on_loss
        self._bus: MessageBus | None = None
        self._lost: asyncio.Task[None] | None = None
        self._rules: set[str] = set()
        self._connecting = asyncio.Lock()

    @property
    def connected(self) -> bool:
        return self._bus is not None

    async def connect(self) -> "MessageBus":
        """The connection, made if there is none. Raises BusError."""
        if self._bus is not None:
            return self._bus
        from dbus_fast import BusType
        from dbus_fast.aio import MessageBus
        from dbus_fast.errors import DBusFastError

        async with self._connecting:
            if self._bus is not None:
                return self._bus
            bus = MessageBus(bus_address=self._address, bus_type=BusType.SYSTEM)
            try:
                async with asyncio.timeout(CONNECT_LIMIT_S):
                    await bus.connect()
            except (OSError, EOFError, DBusFastError) as error:
                raise BusError("", f"no connection to the system bus: {error or type(error).__name__}") from error
            bus.add_message_handler(self._on_message)
            self._rules.clear()
            self._bus = bus
            self._lost = asyncio.create_task(self._wait_for_loss(bus), name="system bus")
            return bus

    async def _wait_for_loss(self, bus: "MessageBus") -> None:
        from dbus_fast.errors import DBusFastError

        with contextlib.suppress(OSError, EOFError, DBusFastError):
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        self._bus = None
        self._on_loss()

    async def close(self) -> None:
        """Ends the connection; the next call would make another one."""
        if self._bus is not None and self._lost is not None:
            self._bus.disconnect()
            await self._lost

    def ask(self, path: str, interface: str, name: str) -> int | None:
        """Sends for a property at once, without waiting: the reply comes to `on_message` with this serial."""
        from dbus_fast import Message

        if self._bus is None:
            return None
        serial = self._bus.next_serial()
        message = Message(
            destination=SYSTEMD,
            path=path,
            interface=PROPERTIES,
            member="Get",
            signature="ss",
            body=[interface, name],
            serial=serial,
        )
        self._bus.send(message)
        return serial

    async def call(
        self,
        member: str,
        signature: str = "",
        *body: Any,
        path: str = MANAGER_PATH,
        interface: str = MANAGER,
        destination: str = SYSTEMD,
        claim: set[int] | None = None,
    ) -> list[Any]:
        """The reply to a method call. Its serial is put into `claim` before it is sent. Raises BusError."""
        from dbus_fast import Message, MessageType
        from dbus_fast.errors import DBusFastError

        bus = await self.connect()
        message = Message(
            destination=destination,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
            serial=bus.next_serial(),
        )
        if claim is not None and message.serial is not None:
            claim.add(message.serial)
        try:
            reply = await bus.call(message)
        except (OSError, EOFError, DBusFastError) as error:
            raise BusError("", f"lost the system bus during {member}: {error or type(error).__name__}") from error
        if reply is None:
            raise BusError("", f"lost the system bus during {member}")
        if reply.message_type is MessageType.ERROR:
            raise BusError(reply.error_name or "", str(reply.body[0]) if reply.body else str(reply.error_name))
        return list(reply.body)

    async def property(self, path: str, interface: str, name: str, without: Any) -> Any:
        """A property's value, or `without` where there is none. Raises BusError."""
        try:
            reply = await self.call("Get", "ss", interface, name, path=path, interface=PROPERTIES)
        except BusError as error:
            if error.name in LACKING:
                return without
            raise
        return reply[0].value

    async def match(self, rule: str) -> None:
        """Lets signals of one more kind through to us; one that passes already is fine. Raises BusError."""
        await self.connect()
        if rule in self._rules:
            return
        self._rules.add(rule)
        try:
            await self.call("AddMatch", "s", rule, path="/org/freedesktop/DBus", interface=DAEMON, destination=DAEMON)
        except BusError:
            self._rules.discard(rule)
            raise


def unit_path(unit: str) -> str:
    """The object path of a unit: everything but letters and digits (a leading digit too) written as _XX."""
    escaped = "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 and not (at == 0 and chr(byte).isdigit()) else f"_{byte:02x}"
        for at, byte in enumerate(unit.encode())
    )
    return f"{MANAGER_PATH}/unit/{escaped or '_'}"


def unit_at(path: str) -> str:
    """The unit's own name, read back from its object path."""
    first, *escaped = path.rpartition("/")[2].split("_")
    data = first.encode() + b"".join(bytes.fromhex(part[:2]) + part[2:].encode() for part in escaped)
    return data.decode()
