"""Which of the things that look bad is the one to mend?"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from guardian_agent.model import FROM_BELOW, Incident, Layer

K = TypeVar("K")

PRECEDENCE = (
    "artifact_corrupt",
    "deploy_regressed",
    "port_conflict",
    "process_crashed",
    "service_failed",
    "tasks_exhausted",
    "heartbeat_lost",
    "firewall_block",
    "service_hung",
    "port_not_listening",
    "connection_refused",
    "connection_timeout",
    "tls_failed",
    "certificate_wrong",
    "certificate_expiring",
    "session_dropped",
    "http_error",
    "grpc_unhealthy",
    "check_failed",
    "payload_broken",
    "clock_offset",
    "secret_expiring",
    "session_not_resumed",
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


def common_ground(rests_on: Iterable[Iterable[str]]) -> set[str]:
    """The ids of the host's own probes that each of the things that look bad rests on: any of them, failing, accounts
    for all of it."""
    grounds = [set(ground) for ground in rests_on]
    return set.intersection(*grounds) if grounds else set()


def lowest(incidents: Iterable[Incident]) -> Incident | None:
    """Of the host's own incidents the one to mend first: the one of the lowest layer, and of one layer the oldest."""
    return min(incidents, key=lambda one: (FROM_BELOW.index(one.layer), one.first_bad_at.boottime_ns), default=None)


def still_accounts(incident: Incident, *, about_component: bool, tries: int) -> bool:
    """Whether an open incident goes on accounting for what rests on it.

    One whose ladder has ended does not, lest a wrong owner keep what lies above it from being mended for ever. Where
    nothing could be tried (a dead switch, a remote server) it does: what rests on it is beyond mending here, too. Not
    so when the host is short of something, which is more often a neighbour of the cause than the cause.
    """
    if not incident.exhausted:
        return True
    return not about_component and tries == 0 and incident.layer != Layer.HOST


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
