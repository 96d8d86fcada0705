"""What only root can see of a port: whose it is."""

from typing import ClassVar

import msgspec

from guardian_agent.host.questions.base import Question


class PortHolder(msgspec.Struct, frozen=True, kw_only=True):
    """A process that has a listening socket of a port."""

    pid: int
    start_ticks: int  # with the pid, what tells it from a later process
    name: str  # proc(5), comm
    uid: int
    addresses: tuple[str, ...]  # where it listens; one that takes IPv4 by IPv6's wildcard has both wildcards
    program: str = ""  # the file that it runs; empty: it runs none, as threads of the kernel do
    unit: str = ""  # of the system's manager, in whose control group it is: a service or a scope
    control_group: str = ""
    session: int = 0
    arguments: tuple[str, ...] = ()  # what looks like a secret in them is left out

    @property
    def shown(self) -> str:
        return f"{self.name or 'process'} {self.pid}" + (f" of {self.unit}" if self.unit else "")


class PortUse(msgspec.Struct, frozen=True, kw_only=True):
    """All that has to do with one TCP port of this host."""

    holders: tuple[PortHolder, ...] = ()
    ownerless: tuple[str, ...] = ()  # addresses at which something listens that no process holds
    connections: int = 0  # in whatever state
    left_over: int = 0  # of those: what no process holds any more


class PortHolders(Question[PortUse], frozen=True, tag=True):
    """Which processes listen on a TCP port, and what else keeps it."""

    answer_type: ClassVar = PortUse
    port: int

    def describe(self) -> str:
        return f"who holds port {self.port}"


PortQuestion = PortHolders
