"""How is a setting of the kernel changed?"""

from pathlib import Path

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host.operations import WriteSysctl
from guardian_agent.host.operations.settings import sysctl_path


async def write(operation: WriteSysctl) -> None:
    """Writes the value. Raises OperationError."""
    shown = operation.describe()
    try:
        path = Path(sysctl_path(operation.name))
        path.write_text(f"{operation.value}\n")  # noqa: ASYNC240 - procfs is memory, and never waits
    except ValueError as error:
        raise RefusedOperationError(f"{shown}: {error}") from error
    except FileNotFoundError as error:
        raise RefusedOperationError(f"{shown}: this kernel has no such setting") from error
    except OSError as error:
        raise OperationError(f"{shown}: {error.strerror}") from error
