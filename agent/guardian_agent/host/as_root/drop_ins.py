"""How is a unit told something beside its own file?"""

import asyncio
import contextlib
import os
from collections.abc import Iterator

from guardian_agent.errors import OperationError, RefusedOperationError, UnknownResultError
from guardian_agent.host.operations import DropInOperation, RemoveDropIn, WriteDropIn
from guardian_agent.host.operations.drop_ins import FOLDER, drop_in_path
from guardian_agent.host.protocols.units import UnitManager

A_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


async def change(units: UnitManager, operation: DropInOperation) -> None:
    """Writes the file, whole or not at all, or removes it, and has systemd read the units again.

    Raises OperationError.
    """
    shown = operation.describe()
    try:
        drop_in_path(operation.unit, operation.name)
        if isinstance(operation, WriteDropIn):
            await asyncio.to_thread(_write, operation)
        else:
            await asyncio.to_thread(_remove, operation)
    except ValueError as error:
        raise RefusedOperationError(f"{shown}: {error}") from error
    except OSError as error:
        raise OperationError(f"{shown}: {error.strerror}") from error
    try:
        await units.reload_manager()
    except UnknownResultError as error:
        raise UnknownResultError(f"{shown}: {error}") from error
    except OperationError as error:  # refused, perhaps, and the file is there all the same
        raise OperationError(f"{shown}: {error}") from error


def _write(operation: WriteDropIn) -> None:
    with _folder(FOLDER) as above:
        with contextlib.suppress(FileExistsError):
            os.mkdir(f"{operation.unit}.d", 0o755, dir_fd=above)
        with _folder(f"{operation.unit}.d", above) as folder:
            new = f".{operation.name}.new"
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            with open(os.open(new, flags, 0o644, dir_fd=folder), "w", encoding="utf-8") as file:  # noqa: PTH123
                file.write(operation.text)
            os.rename(new, operation.name, src_dir_fd=folder, dst_dir_fd=folder)


def _remove(operation: RemoveDropIn) -> None:
    with contextlib.suppress(FileNotFoundError), _folder(FOLDER) as above:
        with _folder(f"{operation.unit}.d", above) as folder, contextlib.suppress(FileNotFoundError):
            os.unlink(operation.name, dir_fd=folder)
        with contextlib.suppress(OSError):  # somebody else's is in it
            os.rmdir(f"{operation.unit}.d", dir_fd=above)


@contextlib.contextmanager
def _folder(path: str, above: int | None = None) -> Iterator[int]:
    """A descriptor of a folder that is no link."""
    descriptor = os.open(path, A_FOLDER, dir_fd=above)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
