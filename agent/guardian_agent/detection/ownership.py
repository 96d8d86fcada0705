"""Which of the things that look bad is the one to mend?"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

K = TypeVar("K")

PRECEDENCE = (
    "artifact_corrupt",
    "deploy_regressed",
    "port_conflict",
    "process_crashed",
    "service_failed",
    "heartbeat_lost",
    "service_hung",
    "port_not_listening",
    "connection_refused",
    "connection_timeout",
    "certificate_expiring",
    "http_error",
)


def rank(issue_type: str) -> int:
    """Position of an issue type in the order of causes within a component; what is not in it comes last."""
    return PRECEDENCE.index(issue_type) if issue_type in PRECEDENCE else len(PRECEDENCE)


def owner_of(bad: Mapping[K, str]) -> K:
    """The probe, of those that look bad, whose issue type is nearest to the cause. `bad` must not be empty."""
    return min(bad, key=lambda key: rank(bad[key]))


def could_outrank(issue_types: Iterable[str], present: str) -> bool:
    """Whether a probe that may answer `issue_types` could still change which issue type owns the incident."""
    return any(rank(issue_type) < rank(present) for issue_type in issue_types)


def dependencies(target: str, depends_on: Mapping[str, Sequence[str]]) -> list[str]:
    """Everything that `target` rests on, directly or not, deepest first, so that the lowest failing one is found
    first."""
    found: list[str] = []

    def visit(name: str) -> None:
        for dependency in depends_on.get(name, ()):
            if dependency not in found:
                visit(dependency)
                found.append(dependency)

    visit(target)
    return found
