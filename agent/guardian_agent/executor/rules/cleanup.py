"""What may be deleted or compressed, and what may be looked at for that?"""

from guardian_agent.executor.policy import Policy
from guardian_agent.host.operations import CleanupOperation, DecompressFile, DeleteFiles, VacuumJournal
from guardian_agent.host.operations.cleanup import MOST_FILES, beneath, is_plain, is_rotated_log, matches, too_broad
from guardian_agent.host.questions import CleanupQuestion, ListRemovable
from guardian_agent.playbooks.auto_heal.resource_cleanup import ResourceCleanup

MOST_LISTED = 10_000


def refusal(operation: CleanupOperation, policy: Policy) -> str:
    """Why it is not done; empty when it is. Raises PolicyError."""
    allowed = _playbook(policy)
    if isinstance(operation, VacuumJournal):
        least = allowed.journal_keep_bytes
        return "" if operation.keep_bytes >= least else f"{least} bytes of the journal are kept at least"
    if reason := _folder(operation.folder, allowed, str(policy.config.state_dir)):
        return reason
    if isinstance(operation, DecompressFile):
        return _paths([operation.path], allowed, compressed=True)
    if not operation.min_age_s >= allowed.min_age_s:  # `not`: of a NaN nothing is true
        return f"files younger than {allowed.min_age_s:g} s are left"
    if isinstance(operation, DeleteFiles):
        if not 0 < len(operation.files) <= MOST_FILES:
            return f"{len(operation.files)} files; it is 1 to {MOST_FILES} at a time"
        return _paths([file.path for file in operation.files], allowed, compressed=False)
    return _paths([operation.file.path], allowed, compressed=True)


def refusal_to_tell(question: CleanupQuestion, policy: Policy) -> str:
    """Why it is not told; empty when it is. Raises PolicyError."""
    if not question.mount.startswith("/") or (question.mount != "/" and not is_plain(question.mount[1:])):
        return f"{question.mount[:80]!r} is not the absolute, plain path of a mount point"
    if not isinstance(question, ListRemovable):
        return ""
    allowed = _playbook(policy)
    if not set(question.folders) <= set(allowed.allow):
        return "a folder that playbooks.resource_cleanup.allow does not name"
    if reasons := [reason for folder in question.folders if (reason := too_broad(folder))]:
        return reasons[0]
    return "" if 0 <= question.most <= MOST_LISTED else f"at most {MOST_LISTED} files are listed"


def _playbook(policy: Policy) -> ResourceCleanup:
    playbook = policy.playbook("resource_cleanup")
    if not isinstance(playbook, ResourceCleanup):
        raise TypeError(f"resource_cleanup is a {type(playbook).__name__}")
    return playbook


def _folder(folder: str, allowed: ResourceCleanup, state_dir: str) -> str:
    if reason := too_broad(folder):
        return reason
    if beneath(folder, state_dir) or beneath(state_dir, folder):
        return f"{state_dir} is Guardian's own"
    if not any(beneath(folder, each) and not too_broad(each) for each in allowed.allow):
        return f"{folder} is not below a folder that playbooks.resource_cleanup.allow names"
    return ""


def _paths(paths: list[str], allowed: ResourceCleanup, *, compressed: bool) -> str:
    for path in paths:
        if not is_plain(path):
            return f"{path[:80]!r} is not a plain path below its folder"
        if not matches(path, allowed.names):
            return f"{path[:80]!r} has none of the names that playbooks.resource_cleanup.names has"
        if compressed and not is_rotated_log(path):
            return f"{path[:80]!r} is not called as a rotated log is"
    return ""
