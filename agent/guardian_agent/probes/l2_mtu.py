"""Layer 2: does the uplink take frames as long as it did when all was good?"""

from typing import ClassVar, Self

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.model import Layer, Reading, Schedule
from guardian_agent.probes.base import Probe


class L2Mtu(Probe, frozen=True, kw_only=True):
    """Failing while the uplink's MTU is another one than known good, or than configured."""

    layer: ClassVar = Layer.DATA_LINK
    issue_types: ClassVar = ("mtu_changed",)
    reads_kernel_state: ClassVar = True
    options: ClassVar = ("interface", "mtu")

    interface: str | None = None
    mtu: int | None = None  # None: as known good

    @classmethod
    def for_host(cls, schedule: Schedule) -> Self | None:
        return cls()

    async def look(self, host: Host) -> Reading:
        good = host.known.good
        name, wanted = self.interface or good.uplink, self.mtu or (good.mtu if self.interface is None else 0)
        if not name or not wanted:
            raise ProbeError("no MTU is known to be good yet")
        if (link := await host.netlink.link(name)) is None:
            raise ProbeError(f"there is no interface {name}")
        return Reading(ok=link.mtu == wanted, evidence={"interface": name, "mtu": link.mtu, "known_good": wanted})
