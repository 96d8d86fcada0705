"""Single packets, sent and answered."""

from guardian_agent.errors import ProbeError
from guardian_agent.host import Echo


class LocalPackets:
    """Raw sockets of this network namespace."""

    def close(self) -> None:
        """Nothing is open between questions."""

    async def echo(self, address: str, timeout_s: float, *, size_bytes: int = 56, whole: bool = False) -> Echo:
        raise ProbeError(f"no echo request can be sent to {address} yet: {timeout_s} {size_bytes} {whole}")

    async def owners(self, address: str, interface: str, timeout_s: float, *, own: bool = False) -> list[str]:
        raise ProbeError(f"nobody can be asked for {address} on {interface} yet: {timeout_s} {own}")
