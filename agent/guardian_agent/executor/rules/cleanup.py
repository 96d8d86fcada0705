"""What may be deleted or compressed, and what may be looked at for that?"""

from collections.abc import Collection

from guardian_agent.executor.policy import Policy
from guardian_agent.host.operations import CleanupOperation, DecompressFile, DeleteFiles, VacuumJournal
from guardian_agent.host.operations.cleanup import (
    GUARDIANS_OWN,
    MOST_COMPRESSED_BYTES,
    MOST_FILES,
    beneath,
    is_plain,
    is_rotated_log,
    matches,
    too_broad,
)
from guardian_agent.host.questions import CleanupQuestion, ListCleaned, ListHeldFiles, ListRemovable
from guardian_agent.playbooks.auto_heal.resource_cleanup import ResourceCleanup

MOST_LISTED = 10_000
MOST_HELD = 1000


def refusal(operation: CleanupOperation, policy: Policy) -> str:
    """Why it is not done; empty when it is. Raises PolicyError."""
    allowed = _playbook(policy)
    if isinstance(operation, VacuumJournal):
        least = allowed.journal_keep_bytes
        return "" if operation.keep_bytes >= least else f"{least} bytes of the journal are kept at least"
    own = _own(policy)
    if reason := _folder(operation.folder, allowed, own):
        return reason
    if isinstance(operation, DecompressFile):
        return _paths(operation.folder, [operation.path], allowed, own, compressed=True)
    if not operation.min_age_s >= allowed.min_age_s:  # `not`: of a NaN nothing is true
        return f"files younger than {allowed.min_age_s:g} s are left"
    if isinstance(operation, DeleteFiles):
        if not 0 < len(operation.files) <= MOST_FILES:
            return f"{len(operation.files)} files; it is 1 to {MOST_FILES} at a time"
        return _paths(operation.folder, [file.path for file in operation.files], allowed, own, compressed=False)
    if operation.file.size_bytes > MOST_COMPRESSED_BYTES:
        return f"a file of more than {MOST_COMPRESSED_BYTES} bytes takes too long"
    return _paths(operation.folder, [operation.file.path], allowed, own, compressed=True)


def refusal_to_tell(question: CleanupQuestion, policy: Policy) -> str:
    """Why it is not told; empty when it is. Raises PolicyError."""
    match question:
        case ListCleaned():
            _playbook(policy)
            return ""
        case ListHeldFiles(mount, most):
            return _mount(mount) or ("" if 0 < most <= MOST_HELD else f"at most {MOST_HELD} files are listed")
        case ListRemovable():
            return _mount(question.mount) or _listing(question, _playbook(policy))


def _mount(path: str) -> str:
    if path == "/" or (path.startswith("/") and is_plain(path[1:])):
        return ""
    return f"{path[:80]!r} is not the absolute, plain path of a mount point"


def _listing(question: ListRemovable, allowed: ResourceCleanup) -> str:
    """It is to be as configured or narrower: a walk takes root's time."""
    if reason := _not_of(question.folders, allowed.allow, "a folder", "allow"):
        return reason
    if reason := _not_of(question.names, allowed.names, "a name", "names"):
        return reason
    if not question.min_age_s >= allowed.min_age_s:  # `not`: of a NaN nothing is true
        return f"files younger than {allowed.min_age_s:g} s are left"
    if reasons := [reason for folder in question.folders if (reason := too_broad(folder))]:
        return reasons[0]
    return "" if 0 <= question.most <= MOST_LISTED else f"at most {MOST_LISTED} files are listed"


def _not_of(asked: tuple[str, ...], configured: tuple[str, ...], what: str, key: str) -> str:
    if len(asked) > len(configured) or len(set(asked)) < len(asked):
        return f"{what} is named twice"
    return "" if set(asked) <= set(configured) else f"{what} that playbooks.resource_cleanup.{key} does not name"


def _playbook(policy: Policy) -> ResourceCleanup:
    playbook = policy.playbook("resource_cleanup")
    if not isinstance(playbook, ResourceCleanup):
        raise TypeError(f"resource_cleanup is a {type(playbook).__name__}")
    return playbook


def _own(policy: Policy) -> frozenset[str]:
    """Guardian's own folders and files, which are never cleaned."""
    config = policy.config
    return frozenset({*GUARDIANS_OWN, str(config.state_dir), str(config.hold_file), str(config.executor_socket)})


def _folder(folder: str, allowed: ResourceCleanup, own: Collection[str]) -> str:
    if reason := too_broad(folder):
        return reason
    if mine := _owner_of(folder, own):
        return f"{mine} is Guardian's own"
    if not any(beneath(folder, each) and not too_broad(each) for each in allowed.allow):
        return f"{folder} is not below a folder that playbooks.resource_cleanup.allow names"
    return ""


def _owner_of(path: str, own: Collection[str]) -> str:
    return next((each for each in own if beneath(path, each)), "")


def _paths(folder: str, paths: list[str], allowed: ResourceCleanup, own: Collection[str], *, compressed: bool) -> str:
    for path in paths:
        if not is_plain(path):
            return f"{path[:80]!r} is not a plain path below its folder"
        if mine := _owner_of(f"{folder}/{path}", own):
            return f"{mine} is Guardian's own"
        if not matches(path, allowed.names):
            return f"{path[:80]!r} has none of the names that playbooks.resource_cleanup.names has"
        if compressed and not is_rotated_log(path):
            return f"{path[:80]!r} is not called as a rotated log is"
    return ""
