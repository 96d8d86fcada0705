"""How is a setting of the kernel changed, and put back?"""

from pathlib import Path

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host.as_root.before import Memory, Was
from guardian_agent.host.operations import SettingOperation, WriteSysctl
from guardian_agent.host.operations.settings import sysctl_path


class Settings:
    """Writes them, and keeps in mind what they were."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory or Memory()

    async def change(self, operation: SettingOperation) -> None:
        """Raises OperationError."""
        shown = operation.describe()
        try:
            path = Path(sysctl_path(operation.name))
            if isinstance(operation, WriteSysctl):
                self._write(path, operation)
            else:
                self._put_back(path, operation.name)
        except ValueError as error:
            raise RefusedOperationError(f"{shown}: {error}") from error
        except FileNotFoundError as error:
            raise RefusedOperationError(f"{shown}: this kernel has no such setting") from error
        except OSError as error:
            raise OperationError(f"{shown}: {error.strerror}") from error

    def _write(self, path: Path, operation: WriteSysctl) -> None:
        self._memory.note(Was(what=operation.name, before=_plain(path.read_text()), now=_plain(operation.value)))
        path.write_text(f"{operation.value}\n")

    def _put_back(self, path: Path, name: str) -> None:
        was = self._memory.of(name)
        if was is None:
            return
        if _plain(path.read_text()) == was.now:
            path.write_text(f"{was.before}\n")
        self._memory.forget(name)


def _plain(said: str) -> str:
    """The kernel puts tabs between numbers, and people spaces."""
    return " ".join(said.split())
