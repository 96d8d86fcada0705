"""How are the files changed that decide how names are resolved?"""

import os

from guardian_agent.host.as_root import paths
from guardian_agent.host.as_root.deadline import Deadline, carry_out
from guardian_agent.host.as_root.paths import Marks, Place
from guardian_agent.host.operations import RemoveText, WriteLink, WriteText

LIMIT_S = 30.0  # for a disk that hangs


async def change(operation: WriteText | WriteLink | RemoveText) -> None:
    """Carries it out. Raises OperationError."""
    await carry_out(operation.describe(), lambda deadline: _change(operation, deadline), LIMIT_S)


def _change(operation: WriteText | WriteLink | RemoveText, deadline: Deadline) -> None:
    with paths.place(operation.path) as where:
        match operation:
            case WriteText():
                wanted = Marks(uid=operation.uid, gid=operation.gid, mode=operation.mode, attributes=_attributes(where))
                paths.replace(where, operation.content, wanted, deadline)
            case WriteLink():
                paths.replace_by_link(where, operation.target, deadline=deadline)
            case RemoveText():
                paths.remove(where, deadline)


def _attributes(where: Place) -> dict[bytes, bytes]:
    """Those of the file that is there: its label stays, whatever its content was."""
    try:
        file = paths.opened(where)
    except OSError:  # there is none, or a link
        return {}
    try:
        return paths.marks(file).attributes
    finally:
        os.close(file)
