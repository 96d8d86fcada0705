"""Which files may be set aside, and what may come in their place?"""

from collections.abc import Iterator

from guardian_agent.executor.policy import Policy
from guardian_agent.host.operations import ArtifactOperation, PutBackArtifact, QuarantineArtifact
from guardian_agent.host.questions import JudgeCopy
from guardian_agent.model import Artifact


def refusal(operation: ArtifactOperation, policy: Policy) -> str:
    """Why it is not done; empty when it is. Raises PolicyError: `quarantine_artifacts` does not run here.

    What is put back was at that very path before: nobody comes to anything by it that was not there.
    """
    policy.playbook("quarantine_artifacts")
    match operation:
        case QuarantineArtifact(path, good_copy, sha256=sha256):
            return _not_declared(path, good_copy, sha256, policy)
        case PutBackArtifact(path):
            return "" if any(_declared(path, policy)) else f"{path} is no declared file"


def refusal_to_tell(question: JudgeCopy, policy: Policy) -> str:
    """Why a copy is not judged; empty when it is: the hash of any other file is nobody's business."""
    return _not_declared(question.path, question.good_copy, question.sha256, policy)


def _not_declared(path: str, good_copy: str, sha256: str | None, policy: Policy) -> str:
    for artifact in _declared(path, policy):
        if artifact.good_copy == good_copy and artifact.sha256 == sha256 and (sha256 is not None or artifact.dpkg):
            return ""
    return f"{path} is not declared with the copy {good_copy} and that hash"


def _declared(path: str, policy: Policy) -> Iterator[Artifact]:
    for component in policy.config.components:
        if policy.is_free(component):
            yield from (artifact for artifact in component.artifacts if artifact.path == path)
