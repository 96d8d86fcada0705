"""How a dictionary of files changes by the operations on declared files, releases and name resolution."""

import msgspec
from tests.agent.fake_machine import FakeFiles

from guardian_agent.errors import RefusedOperationError
from guardian_agent.host import FileState
from guardian_agent.host.operations import (
    PutBackArtifact,
    QuarantineArtifact,
    RemoveText,
    SwitchRelease,
    WriteLink,
    WriteText,
)

Kept = tuple[str, FileState | None, str]  # path, state, content
FileChange = WriteText | WriteLink | RemoveText | QuarantineArtifact | PutBackArtifact | SwitchRelease


def change(files: FakeFiles, quarantine: dict[str, Kept], operation: FileChange, wall_s: float) -> None:
    """Carries it out on the fake's files."""
    match operation:
        case WriteText(path=path):
            files.put(path, operation.content.decode("utf-8", "surrogateescape"))
            files.states[path] = msgspec.structs.replace(
                files.states[path], mode=operation.mode, uid=operation.uid, gid=operation.gid
            )
        case WriteLink(path=path, target=target):
            files.remove(path)
            files.link(path, target)
        case RemoveText(path=path):
            files.remove(path)
        case SwitchRelease(current=current, target=target):
            files.remove(current)
            changed_ns = operation.changed_wall_ns
            if target:
                files.link(current, target, modified_wall_s=wall_s if changed_ns is None else changed_ns / 1e9)
        case QuarantineArtifact() | PutBackArtifact():
            _replace(files, quarantine, operation, wall_s)


def _replace(
    files: FakeFiles, quarantine: dict[str, Kept], operation: QuarantineArtifact | PutBackArtifact, wall_s: float
) -> None:
    match operation:
        case QuarantineArtifact(path=path, good_copy=good_copy):
            if good_copy not in files.contents:
                raise RefusedOperationError(f"{good_copy} is not there")
            quarantine[operation.kept] = (path, files.states.get(path), files.contents.get(path, ""))
            files.put(path, files.contents[good_copy], modified_wall_s=wall_s)
        case PutBackArtifact(path=path, kept=kept) if kept in quarantine:
            _, state, content = quarantine.pop(kept)
            files.remove(path)
            if state is not None:
                files.states[path] = state
            if state is not None and state.kind == "file":
                files.contents[path] = content
