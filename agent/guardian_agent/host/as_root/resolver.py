"""How are the files changed that decide how names are resolved?"""

import asyncio
import os

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host.as_root import paths
from guardian_agent.host.as_root.paths import Marks, Place
from guardian_agent.host.operations import RemoveText, WriteLink, WriteText

LIMIT_S = 30.0  # for a disk that hangs


async def change(operation: WriteText | WriteLink | RemoveText) -> None:
    """Carries it out. Raises OperationError."""
    shown = operation.describe()
    try:
        async with asyncio.timeout(LIMIT_S):
            await asyncio.to_thread(_change, operation)
    except TimeoutError as error:
        raise OperationError(f"{shown}: not done within {LIMIT_S:g} s") from error
    except ValueError as error:
        raise RefusedOperationError(f"{shown}: {error}") from error
    except OSError as error:
        raise OperationError(f"{shown}: {error.strerror or error}") from error


def _change(operation: WriteText | WriteLink | RemoveText) -> None:
    with paths.place(operation.path) as where:
        match operation:
            case WriteText():
                wanted = Marks(uid=operation.uid, gid=operation.gid, mode=operation.mode, attributes=_attributes(where))
                paths.replace(where, operation.content, wanted)
            case WriteLink():
                paths.replace_by_link(where, operation.target)
            case RemoveText():
                paths.remove(where)


def _attributes(where: Place) -> dict[str, bytes]:
    """Those of the file that is there: its label stays, whatever its content was."""
    try:
        file = paths.opened(where)
    except OSError:  # there is none, or a link
        return {}
    try:
        return paths.marks(file).attributes
    finally:
        os.close(file)
