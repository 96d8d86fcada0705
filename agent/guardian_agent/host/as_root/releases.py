"""How is another release of a component made the current one?"""

import stat

from guardian_agent.host.as_root import paths
from guardian_agent.host.as_root.deadline import Deadline, carry_out
from guardian_agent.host.operations import SwitchRelease
from guardian_agent.host.releases import leads_into, place_of

LIMIT_S = 30.0  # for a disk that hangs


async def switch(operation: SwitchRelease) -> None:
    """Switches the link. Raises OperationError: RefusedOperationError where it would lead out of the folder."""
    await carry_out(operation.describe(), lambda deadline: _switch(operation, deadline), LIMIT_S)


def _switch(operation: SwitchRelease, deadline: Deadline) -> None:
    if operation.target:
        _must_lead_into_the_folder(operation)
    with paths.place(operation.current) as where:
        there = where.stat()
        if there is not None and not stat.S_ISLNK(there.st_mode):
            raise ValueError(f"{operation.current} is no link")
        if not operation.target:
            paths.remove(where, deadline)
        elif there is None or where.target() != operation.target or operation.changed_wall_ns is not None:
            uid, gid = (there.st_uid, there.st_gid) if there else (0, 0)
            wanted = paths.Marks(uid=uid, gid=gid, modified_ns=operation.changed_wall_ns)
            paths.replace_by_link(where, operation.target, wanted, deadline)


def _must_lead_into_the_folder(operation: SwitchRelease) -> None:
    """A release that is not there leads nowhere; one that is there must be a folder, and no link out of it."""
    if not leads_into(operation.folder, operation.current, operation.target):
        raise ValueError(f"{operation.target} does not lead into {operation.folder}")
    release = place_of(operation.current, operation.target)
    try:
        with paths.folder(release):
            pass
    except FileNotFoundError:
        return
    except OSError as error:
        raise ValueError(f"{release} is no folder, or reached by a link: {error.strerror}") from error
