"""May it be done? One family of operations a file; what no rule allows is refused.

A rule assumes that the agent is in an enemy's hands and sends whatever it likes. It answers with one sentence why not,
or with nothing.
"""

from typing import assert_never

from guardian_agent.executor.policy import Policy, PolicyError
from guardian_agent.executor.rules import (
    artifacts,
    cleanup,
    firewall,
    limits,
    network,
    ports,
    questions,
    rebind,
    releases,
    resolver,
    secrets,
    settings,
)
from guardian_agent.host.operations import (
    AddAddress,
    AddRoute,
    AddRule,
    CheckSecret,
    CompressFile,
    DecompressFile,
    DeleteAddress,
    DeleteFiles,
    DeleteNeighbour,
    DeleteRoute,
    DeleteRule,
    DestroySockets,
    KillProcess,
    PutBackArtifact,
    PutBackSecret,
    QuarantineArtifact,
    ReloadUnit,
    RemoveDropIn,
    RemoveText,
    RenewSecret,
    ReplaceTables,
    ResetUnitLimit,
    RootOperation,
    SetLink,
    SetLinkMtu,
    SetNeighbour,
    SetUnitLimit,
    StartForeignUnit,
    StopForeignUnit,
    SwitchRelease,
    VacuumJournal,
    WriteDropIn,
    WriteLink,
    WriteSysctl,
    WriteText,
)
from guardian_agent.host.questions import RootQuestion


def refusal(operation: RootOperation, policy: Policy) -> str:
    """Why an operation is not carried out; empty when it is."""
    if halted := policy.halted():
        return halted
    try:
        return _refusal(operation, policy)
    except PolicyError as error:
        return str(error)


def refusal_to_tell(question: RootQuestion, policy: Policy) -> str:
    """Why a question is not answered; empty when it is. Looking is allowed in every mode."""
    try:
        return questions.refusal(question, policy)
    except PolicyError as error:
        return str(error)


def _refusal(operation: RootOperation, policy: Policy) -> str:  # noqa: C901 - a flat list, a family a case
    match operation:
        case WriteSysctl():
            return settings.refusal(operation, policy)
        case ReplaceTables():
            return firewall.refusal(operation, policy)
        case KillProcess() | DestroySockets() | StopForeignUnit() | StartForeignUnit():
            return ports.refusal(operation, policy)
        case WriteDropIn() | RemoveDropIn():
            return rebind.refusal(operation, policy)
        case WriteText() | WriteLink() | RemoveText():
            return resolver.refusal(operation, policy)
        case QuarantineArtifact() | PutBackArtifact():
            return artifacts.refusal(operation, policy)
        case SwitchRelease():
            return releases.refusal(operation, policy)
        case DeleteFiles() | CompressFile() | DecompressFile() | VacuumJournal():
            return cleanup.refusal(operation, policy)
        case SetUnitLimit() | ResetUnitLimit():
            return limits.refusal(operation, policy)
        case RenewSecret() | PutBackSecret() | CheckSecret() | ReloadUnit():
            return secrets.refusal(operation, policy)
        case SetLink() | SetLinkMtu() | SetNeighbour() | DeleteNeighbour() | AddAddress() | DeleteAddress():
            return network.refusal(operation, policy)
        case AddRoute() | DeleteRoute() | AddRule() | DeleteRule():
            return network.refusal(operation, policy)
        case _:
            assert_never(operation)
