"""Whose the ports of a fake host are, and what its units are told of them."""

import re
from collections import defaultdict
from collections.abc import Callable

import msgspec
from tests.agent.fake_workloads import FakeUnit, FakeWorkload

from guardian_agent.host import Listener
from guardian_agent.host.operations import (
    DestroySockets,
    KillProcess,
    RemoveDropIn,
    StartForeignUnit,
    StopForeignUnit,
    WriteDropIn,
)
from guardian_agent.host.questions import PortHolder, PortUse
from guardian_agent.model import Endpoint

PortChange = DestroySockets | KillProcess | StartForeignUnit | StopForeignUnit


class FakePorts:
    """`holders` are the foreign ones, by port; who listens there shows in `strangers` too, as the kernel tells it."""

    def __init__(self, strangers: dict[int, Listener], workloads: Callable[[], list[FakeWorkload]]) -> None:
        self._strangers = strangers
        self._workloads = workloads
        self.holders: defaultdict[int, list[PortHolder]] = defaultdict(list)
        self.ownerless: dict[int, tuple[str, ...]] = {}
        self.left_over: dict[int, int] = {}
        self.stopped: dict[str, dict[int, list[PortHolder]]] = {}
        self.drop_ins: dict[tuple[str, str], str] = {}
        self._declared: dict[str, Endpoint | None] = {}  # where units listen that nothing else is said of

    def squat(self, port: int, pid: int = 4711, *, address: str = "0.0.0.0", unit: str = "", name: str = "nc") -> None:
        """A foreign process takes a port."""
        self._hold(
            port,
            PortHolder(
                pid=pid,
                start_ticks=pid,
                name=name,
                uid=33,
                addresses=(address,),
                program=f"/usr/bin/{name}",
                unit=unit,
                session=pid,
            ),
        )

    def picture(self) -> object:
        """All of it, to be compared."""
        holders = {port: list(found) for port, found in self.holders.items() if found}
        return holders, dict(self._strangers), dict(self.drop_ins), dict(self.left_over)

    def use_of(self, port: int) -> PortUse:
        own = [_as_holder(one) for one in self._workloads() if one.listening and one.serves and one.serves.port == port]
        left_over = self.left_over.get(port, 0)
        return PortUse(
            holders=(*self.holders[port], *own),
            ownerless=self.ownerless.get(port, ()),
            connections=left_over,
            left_over=left_over,
        )

    def apply(self, operation: PortChange) -> None:
        match operation:
            case KillProcess(pid=pid):
                self._end(lambda one: one.pid == pid)
            case StopForeignUnit(unit=unit):
                self.stopped[unit] = self._end(lambda one: one.unit == unit) or self.stopped.get(unit, {})
            case StartForeignUnit(unit=unit):
                for port, holders in self.stopped.pop(unit, {}).items():
                    for holder in holders:
                        self._hold(port, holder)
            case DestroySockets(port=port):
                self.left_over.pop(port, None)

    def drop_in(self, operation: WriteDropIn | RemoveDropIn) -> None:
        key = operation.unit, operation.name
        if isinstance(operation, WriteDropIn):
            self.drop_ins[key] = operation.text
        else:
            self.drop_ins.pop(key, None)

    def before_start(self, unit: FakeUnit) -> None:
        """Where it will listen by what it is told, and whether it can."""
        declared = self._declared.setdefault(unit.name, unit.serves)
        said = [text for (name, _), text in self.drop_ins.items() if name == unit.name]
        port = re.search(r"=(\d+)\n", said[0]) if said else None
        unit.serves = msgspec.structs.replace(declared, port=int(port[1])) if declared and port else declared
        if unit.serves and self.holders[unit.serves.port]:
            unit.broken = f"port {unit.serves.port} is in use"
        elif unit.broken.endswith("is in use"):
            unit.broken = ""

    def _hold(self, port: int, holder: PortHolder) -> None:
        self.holders[port].append(holder)
        there = Endpoint(holder.addresses[0], port)
        self._strangers[port] = Listener(
            endpoint=there, uid=holder.uid, inode=holder.pid, cgroup_id=holder.pid, backlog_limit=128
        )

    def _end(self, meant: Callable[[PortHolder], bool]) -> dict[int, list[PortHolder]]:
        ended = {}
        for port, holders in self.holders.items():
            if gone := [holder for holder in holders if meant(holder)]:
                ended[port] = gone
                self.holders[port] = [holder for holder in holders if not meant(holder)]
                if not self.holders[port]:
                    self._strangers.pop(port, None)
        return ended


def _as_holder(workload: FakeWorkload) -> PortHolder:
    assert workload.serves is not None
    return PortHolder(
        pid=workload.number,
        start_ticks=workload.number,
        name=workload.name,
        uid=33,
        addresses=(workload.serves.host,),
        program=f"/usr/bin/{workload.name}",
        unit=workload.name if isinstance(workload, FakeUnit) else "",
        session=workload.number,
    )
