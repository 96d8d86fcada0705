"""How is a corrupt file set aside, and a good copy put in its place?

What is in the quarantine is a copy: the file that is there may have other names (hard links), which are none of our
business, and so there is no moment without a file. MD5, where a package tells no more, shows damage and is no proof
against an attacker: a copy is therefore believed only where nobody but root can have put it.
"""

import asyncio
import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from guardian_agent.errors import ProbeError
from guardian_agent.host import dpkg
from guardian_agent.host.as_root import paths
from guardian_agent.host.as_root.deadline import Deadline, TooLateError, carry_out
from guardian_agent.host.as_root.paths import Marks, Place
from guardian_agent.host.as_root.quarantine import Kept, Quarantine
from guardian_agent.host.operations import ArtifactOperation, PutBackArtifact, QuarantineArtifact
from guardian_agent.host.operations.artifacts import QUARANTINE
from guardian_agent.host.questions import CopyState, JudgeCopy

LIMIT_S = 120.0
MOST_BYTES = 268_435_456  # of a file, whether corrupt or good
SPECIAL = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
CAPABILITIES = b"security.capability"  # capabilities(7), "File capabilities"


async def judge(question: JudgeCopy) -> CopyState:
    """Whether a copy may be put in a file's place. Raises ProbeError."""
    try:
        async with asyncio.timeout(LIMIT_S):
            return await asyncio.to_thread(_judge, question, Deadline(LIMIT_S))
    except (TimeoutError, TooLateError) as error:
        raise ProbeError(f"{question.good_copy}: not read within {LIMIT_S:g} s") from error


async def do(operation: ArtifactOperation) -> None:
    """Carries out one operation. Raises OperationError."""
    match operation:
        case QuarantineArtifact():
            await quarantine(operation)
        case PutBackArtifact():
            await put_back(operation)


async def quarantine(operation: QuarantineArtifact, folder: str = QUARANTINE) -> None:
    """Sets the corrupt file aside and puts the good copy in its place. Raises OperationError: RefusedOperationError
    where the copy is not what belongs there."""
    await carry_out(operation.describe(), partial(_quarantine, operation, Quarantine(folder)), LIMIT_S)


async def put_back(operation: PutBackArtifact, folder: str = QUARANTINE) -> None:
    """Puts back what was set aside. Raises OperationError."""
    await carry_out(operation.describe(), partial(_put_back, operation, Quarantine(folder)), LIMIT_S)


def _judge(question: JudgeCopy, deadline: Deadline) -> CopyState:
    try:
        algorithm, wanted = _wanted(question.path, question.sha256)
        paths.trusted(question.good_copy)
        with paths.place(question.good_copy) as where:
            file = paths.opened(where)
            try:
                sums = _sums(paths.parts_of(file, MOST_BYTES), deadline)
                size_bytes = os.fstat(file).st_size
            finally:
                os.close(file)
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else str(error)
        return CopyState(complaint=f"{question.good_copy}: {told}")
    complaint = f"{question.good_copy}: its {algorithm} is another, {sums[algorithm]}"
    return CopyState(
        complaint="" if sums[algorithm] == wanted else complaint, sha256=sums["sha256"], size_bytes=size_bytes
    )


def _wanted(path: str, sha256: str | None) -> tuple[str, str]:
    """The hash that the content of a file must have, and its kind. Raises ProbeError, ValueError, OSError."""
    if sha256 is not None:
        return "sha256", sha256.lower()
    if (md5 := dpkg.Packages().md5(path)) is None:
        raise ValueError(f"no package has {path}")
    return "md5", md5


def _quarantine(operation: QuarantineArtifact, aside: Quarantine, deadline: Deadline) -> None:
    state = _judge(JudgeCopy(operation.path, operation.good_copy, operation.sha256), deadline)
    if state.complaint:
        raise ValueError(state.complaint)
    with paths.place(operation.path) as where, paths.place(operation.good_copy) as copy:
        found = _look(where, deadline)
        algorithm, wanted = _wanted(operation.path, operation.sha256)
        if found.kind == "file" and {"sha256": found.sha256, "md5": found.md5}[algorithm] == wanted:
            return
        deadline.check()
        aside.keep(operation.kept, found, lambda: _content(where, found.sha256, deadline))
        file = paths.opened(copy)
        try:
            parts = _proven(paths.parts_of(file, MOST_BYTES), state.sha256)
            paths.replace(where, parts, _marks(found, paths.marks(file)), deadline)
        finally:
            os.close(file)


def _look(where: Place, deadline: Deadline) -> Kept:
    """What is there, without its content. Raises OSError, ValueError, TooLateError."""
    there, now_s = where.stat(), time.time()
    if there is None:
        return Kept(path=where.path, kind="missing", kept_at_wall_s=now_s)
    if stat.S_ISLNK(there.st_mode):
        marks = Marks(uid=there.st_uid, gid=there.st_gid, modified_ns=there.st_mtime_ns)
        target = os.fsencode(where.target())
        return Kept(path=where.path, kind="link", kept_at_wall_s=now_s, target=target, marks=marks)
    if not stat.S_ISREG(there.st_mode):
        raise ValueError(f"{where.path} is neither a file nor a link")
    file = paths.opened(where)
    try:
        marks, sums = paths.marks(file), _sums(paths.parts_of(file, MOST_BYTES), deadline)
    finally:
        os.close(file)
    return Kept(path=where.path, kind="file", kept_at_wall_s=now_s, marks=marks, **sums)


def _content(where: Place, sha256: str, deadline: Deadline) -> Iterator[bytes]:
    """What the file there has, which must be what was seen."""
    file = paths.opened(where)
    try:
        for part in _proven(paths.parts_of(file, MOST_BYTES), sha256):
            deadline.check()
            yield part
    finally:
        os.close(file)


def _marks(found: Kept, copy: Marks) -> Marks:
    """Owner and mode of the file that is replaced, since they were rarely the fault; but nobody gets more by them than
    the copy gives: no set-user-ID, no capability, no writing for all. Where there was no file, those of the copy."""
    capability = {name: value for name, value in copy.attributes.items() if name == CAPABILITIES}
    if found.kind != "file":
        return Marks(uid=copy.uid, gid=copy.gid, mode=copy.mode, attributes=capability)
    marks = found.marks
    mode = marks.mode & ~(SPECIAL | stat.S_IWOTH) | (marks.mode & copy.mode & SPECIAL)
    others = {name: value for name, value in marks.attributes.items() if name != CAPABILITIES}
    return Marks(uid=marks.uid, gid=marks.gid, mode=mode, attributes=others | capability)


def _put_back(operation: PutBackArtifact, aside: Quarantine, deadline: Deadline) -> None:
    with aside.kept(operation.kept, operation.path) as found:
        if found is None:
            return
        was, content = found
        with paths.place(operation.path) as where:
            _restore(where, was, content, deadline)
    aside.forget(operation.kept)


def _restore(where: Place, was: Kept, kept: Place, deadline: Deadline) -> None:
    if was.kind == "missing":
        paths.remove(where, deadline)
    elif was.kind == "link":
        paths.replace_by_link(where, os.fsdecode(was.target), was.marks, deadline)
    else:
        paths.replace(where, _content(kept, was.sha256, deadline), was.marks, deadline)


def _proven(parts: Iterable[bytes], sha256: str) -> Iterator[bytes]:
    """The parts; at their end, ValueError where they were not what they should be: whoever writes them writes nothing
    then."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
        yield part
    if digest.hexdigest() != sha256:
        raise ValueError("it was changed while it was read")


def _sums(parts: Iterable[bytes], deadline: Deadline) -> dict[str, Any]:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    for part in parts:
        deadline.check()
        sha256.update(part)
        md5.update(part)
    return {"sha256": sha256.hexdigest(), "md5": md5.hexdigest()}
