"""Stands in for the agent, in its unit's sandbox: gets ready, then writes what that sandbox allows as one line of JSON.

Runs on a host as /usr/bin/guardian-agent, with the virtual environment's Python. What the agent relies on is asked here
with as little code as can be, so that a broken unit and a broken agent are told apart.
"""

import asyncio
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SYSTEMD = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
NGINX_CGROUP = Path("/sys/fs/cgroup/unified/system.slice/nginx.service")
SOCK_DIAG_BY_FAMILY = 20
NETLINK_SOCK_DIAG = 4
INET_DIAG_CGROUP_ID = 21


def notify(state: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(state.encode(), os.environ["NOTIFY_SOCKET"])


def port_owner() -> bool:
    """Whether inet_diag names, for the listener on port 80, the cgroup whose inode is that of nginx's."""
    question = struct.pack("<BBBBI48x", socket.AF_INET, socket.IPPROTO_TCP, 0xFF, 0, 1 << 10)
    header = struct.pack("<IHHII", 16 + len(question), SOCK_DIAG_BY_FAMILY, 0x301, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as diag:
        diag.send(header + question)
        answer = diag.recv(65536)
    (length,) = struct.unpack_from("<I", answer)
    (port,) = struct.unpack_from(">H", answer, 20)
    at = 16 + 72
    while at + 4 <= length:
        size, kind = struct.unpack_from("<HH", answer, at)
        if kind == INET_DIAG_CGROUP_ID:
            (cgroup,) = struct.unpack_from("<Q", answer, at + 4)
            return bool(port == 80 and cgroup == NGINX_CGROUP.stat().st_ino)
        at += (size + 3) & ~3
    return False


def raw_icmp() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()


def pidfd() -> None:
    pid = int((NGINX_CGROUP / "cgroup.procs").read_text().split()[0])
    os.close(os.pidfd_open(pid))


def write_state() -> None:
    Path(os.environ["STATE_DIRECTORY"], "written").touch()


def write_configuration() -> None:
    Path("/etc/guardian/written").touch()


def write_elsewhere() -> None:
    Path("/var/lib/written").touch()


def import_dependencies() -> None:
    import apsw  # noqa: F401
    import grpc.aio  # noqa: F401
    import msgspec  # noqa: F401


def allowed(attempt: Callable[[], object]) -> object:
    """True, what it returned, or the error's name."""
    try:
        result = attempt()
    except OSError as error:
        return type(error).__name__
    return True if result is None else result


async def systemd(member: str, signature: str = "", *body: object) -> object:
    """True, or the error's name, for one call of systemd's manager."""
    from dbus_fast import BusType, Message, MessageType
    from dbus_fast.aio import MessageBus

    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    name, path, interface = SYSTEMD
    call = Message(name, path, interface, member, signature=signature, body=list(body))
    try:
        answer = await bus.call(call)
    finally:
        bus.disconnect()
    assert answer is not None
    return True if answer.message_type is MessageType.METHOD_RETURN else answer.error_name


async def look() -> dict[str, object]:
    attempts = (import_dependencies, port_owner, raw_icmp, pidfd, write_state, write_configuration, write_elsewhere)
    found = {attempt.__name__: allowed(attempt) for attempt in attempts}
    calls: dict[str, tuple[Any, ...]] = {
        "subscribe": ("Subscribe",),
        "restart": ("RestartUnit", "ss", "nginx.service", "replace"),
        "kill": ("KillUnit", "ssi", "nginx.service", "all", 9),
        "reset_failed": ("ResetFailedUnit", "s", "nginx.service"),
        "start": ("StartUnit", "ss", "nginx.service", "replace"),
        "reload": ("ReloadUnit", "ss", "nginx.service", "replace"),
        "restart_another": ("RestartUnit", "ss", "systemd-journald.service", "replace"),
    }
    for name, (member, *arguments) in calls.items():
        found[name] = await systemd(member, *arguments)
        await asyncio.sleep(0.1)
    return found


def main() -> None:
    if sys.argv[1] == "polkit-rule":
        return  # the test laid the rule already
    notify("READY=1")
    print(json.dumps(asyncio.run(look())), flush=True)
    while True:
        notify("WATCHDOG=1")
        time.sleep(1)


if __name__ == "__main__":
    main()
