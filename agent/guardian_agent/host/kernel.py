"""What the kernel of this machine counts."""

from guardian_agent.errors import ProbeError
from guardian_agent.host import Memory, Pressure, PressureEvents


class LocalKernel:
    """Reads /proc and /sys."""

    async def pressure(self, resource: str) -> Pressure:
        raise ProbeError(f"the pressure of {resource} cannot be read yet")

    def pressure_events(self) -> PressureEvents:
        raise ProbeError("pressure cannot be heard of yet")

    async def memory(self) -> Memory:
        raise ProbeError("memory cannot be read yet")

    async def counters(self, protocol: str) -> dict[str, int]:
        raise ProbeError(f"the counters of {protocol} cannot be read yet")

    async def sysctl(self, name: str) -> str | None:
        raise ProbeError(f"{name} cannot be read yet")

    async def processors(self) -> int:
        raise ProbeError("processors cannot be counted yet")

    async def clock_offset_s(self) -> float | None:
        raise ProbeError("the clock cannot be asked yet")
