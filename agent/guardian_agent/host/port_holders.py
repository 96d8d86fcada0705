"""Who holds a port? Only root sees the processes of others; to anybody else, theirs have none."""

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from guardian_agent.errors import ProbeError
from guardian_agent.host import port_table
from guardian_agent.host.escaped import escaped
from guardian_agent.host.groups import control_group, unit_of
from guardian_agent.host.questions import PortHolder, PortUse
from guardian_agent.host.sessions import ProcStat, all_stats

MOST_HOLDERS = 100
MOST_ARGUMENTS, LONGEST_ARGUMENT = 20, 200
STOPPED = Path("/run/guardian/stopped")  # the foreign units that were stopped on this boot, a file each

_UNIT = re.compile(r"(?!.*@\.)[A-Za-z0-9:_.\\@-]+\.service")
_SECRET = re.compile(r"pass|secret|token|key|auth|cred", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


def use_of(port: int) -> PortUse:
    """Some milliseconds, more with many processes: call it in a thread. Raises ProbeError."""
    try:
        sockets = port_table.of_port(port)
    except OSError as error:
        raise ProbeError(f"who holds port {port}: {error.strerror}") from error
    listening = {one.inode: one for one in sockets if one.listens}
    held = _held_by(set(listening)) if listening else {}
    holders = []
    for process, inodes in held.items():
        addresses = dict.fromkeys(address for inode in sorted(inodes) for address in listening[inode].addresses)
        holders.append(_holder(process, tuple(addresses)))
    holders.sort(key=lambda holder: (holder.start_ticks, holder.pid))  # parents before their children
    seen = {inode for inodes in held.values() for inode in inodes}
    return PortUse(
        holders=tuple(holders[:MOST_HOLDERS]),
        ownerless=tuple(one.address for inode, one in listening.items() if inode not in seen),
        connections=sum(not one.listens for one in sockets),
        left_over=sum(one.left_over for one in sockets),
    )


def _held_by(inodes: set[int]) -> dict[ProcStat, set[int]]:
    """The processes that hold these sockets, each with those that it holds."""
    links = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[ProcStat, set[int]] = {}
    for process in all_stats():
        for link in _open_files(process.pid):
            if (inode := links.get(link)) is not None:
                found.setdefault(process, set()).add(inode)
    return found


def _open_files(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):  # it has ended
        for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - tens of thousands of them
            with contextlib.suppress(OSError):
                yield os.readlink(f"/proc/{pid}/fd/{name}")  # noqa: PTH115


def _holder(process: ProcStat, addresses: tuple[str, ...]) -> PortHolder:
    folder = Path(f"/proc/{process.pid}")
    name, program, uid, arguments = "", "", 0, tuple[str, ...]()
    with contextlib.suppress(OSError):
        name = (folder / "comm").read_text(errors="replace").rstrip("\n")
        uid = folder.stat().st_uid
        arguments = redacted((folder / "cmdline").read_text(errors="replace").split("\0")[:-1])
        program = escaped(os.readlink(folder / "exe"))  # noqa: PTH115 - it may name a file that is gone
    group = control_group(process.pid)
    return PortHolder(
        pid=process.pid,
        start_ticks=process.start_ticks,
        name=name,
        uid=uid,
        addresses=addresses,
        program=program,
        unit=unit_of(group),
        control_group=group,
        session=process.session,
        arguments=arguments,
    )


def redacted(arguments: list[str]) -> tuple[str, ...]:
    """A command line with what looks like a secret left out."""
    kept, hide = [], False
    for word in arguments[:MOST_ARGUMENTS]:
        name, equals, _ = word.partition("=")
        secret = _SECRET.search(name) is not None and (name.startswith("-") or bool(equals))
        shown = "…" if hide else f"{name}=…" if secret and equals else _CREDENTIALS.sub("…@", word)
        hide = secret and not equals
        kept.append(shown[:LONGEST_ARGUMENT])
    return tuple(kept)


def is_service(unit: str) -> bool:
    """Whether it is the name of a service, and no path."""
    return _UNIT.fullmatch(unit) is not None


def was_stopped(unit: str) -> bool:
    """Whether `StopForeignUnit` has stopped this unit on this boot, and nobody has started it again since by undoing
    that."""
    try:
        return is_service(unit) and stat.S_ISREG((STOPPED / unit).lstat().st_mode)
    except OSError:
        return False
