"""Files and file systems of this machine."""

from guardian_agent.errors import ProbeError
from guardian_agent.host import FileState, FileSystem


class LocalFiles:
    """Reads in threads what could make the loop wait."""

    async def state(self, path: str) -> FileState | None:
        raise ProbeError(f"{path} cannot be read yet")

    async def sha256(self, path: str) -> str:
        raise ProbeError(f"{path} cannot be read yet")

    async def text(self, path: str, limit_bytes: int = 65536) -> str:
        raise ProbeError(f"{path} cannot be read yet: {limit_bytes}")

    async def file_systems(self) -> list[FileSystem]:
        raise ProbeError("file systems cannot be read yet")
