"""Every change that Guardian can make to a machine, as data: one closed, tagged union, a family a file.

How one is carried out stands in `local.py`, or in `as_root/` when only root may; what it would look like typed by hand,
in `describe`.
"""

from typing import Any

import msgspec

from guardian_agent.host.operations.artifacts import ArtifactOperation, PutBackArtifact, QuarantineArtifact
from guardian_agent.host.operations.base import Change, kinds_of
from guardian_agent.host.operations.cleanup import (
    CleanupOperation,
    CompressFile,
    DecompressFile,
    DeleteFiles,
    VacuumJournal,
)
from guardian_agent.host.operations.commands import CommandOperation, RunProgram, StartCommand, StopCommand
from guardian_agent.host.operations.drop_ins import DropInOperation, RemoveDropIn, WriteDropIn
from guardian_agent.host.operations.firewall import FirewallOperation, ReplaceTables
from guardian_agent.host.operations.limits import LimitOperation, ResetUnitLimit, SetUnitLimit
from guardian_agent.host.operations.network import (
    AddAddress,
    AddRoute,
    AddRule,
    DeleteAddress,
    DeleteNeighbour,
    DeleteRoute,
    DeleteRule,
    NetworkOperation,
    SetLink,
    SetLinkMtu,
    SetNeighbour,
)
from guardian_agent.host.operations.ports import (
    DestroySockets,
    KillProcess,
    PortOperation,
    StartForeignUnit,
    StopForeignUnit,
)
from guardian_agent.host.operations.releases import ReleaseOperation, SwitchRelease
from guardian_agent.host.operations.resolver import RemoveText, ResolverOperation, WriteLink, WriteText
from guardian_agent.host.operations.secrets import CheckSecret, PutBackSecret, ReloadUnit, RenewSecret, SecretOperation
from guardian_agent.host.operations.settings import ResetSysctl, SettingOperation, WriteSysctl
from guardian_agent.host.operations.units import (
    UNIT_JOB_LIMIT_S,
    KillUnit,
    ResetFailedUnit,
    RestartUnit,
    StartUnit,
    StopUnit,
    UnitOperation,
)

__all__ = [
    "UNIT_JOB_LIMIT_S",
    "AddAddress",
    "AddRoute",
    "AddRule",
    "ArtifactOperation",
    "Change",
    "CheckSecret",
    "CleanupOperation",
    "CommandOperation",
    "CompressFile",
    "DecompressFile",
    "DeleteAddress",
    "DeleteFiles",
    "DeleteNeighbour",
    "DeleteRoute",
    "DeleteRule",
    "DestroySockets",
    "DropInOperation",
    "FirewallOperation",
    "KillProcess",
    "KillUnit",
    "LimitOperation",
    "NetworkOperation",
    "Operation",
    "PortOperation",
    "PutBackArtifact",
    "PutBackSecret",
    "QuarantineArtifact",
    "ReleaseOperation",
    "ReloadUnit",
    "RemoveDropIn",
    "RemoveText",
    "RenewSecret",
    "ReplaceTables",
    "ResetFailedUnit",
    "ResetSysctl",
    "ResetUnitLimit",
    "ResolverOperation",
    "RestartUnit",
    "RootOperation",
    "RunProgram",
    "SecretOperation",
    "SetLink",
    "SetLinkMtu",
    "SetNeighbour",
    "SetUnitLimit",
    "SettingOperation",
    "StartCommand",
    "StartForeignUnit",
    "StartUnit",
    "StopCommand",
    "StopForeignUnit",
    "StopUnit",
    "SwitchRelease",
    "UnitOperation",
    "VacuumJournal",
    "WriteDropIn",
    "WriteLink",
    "WriteSysctl",
    "WriteText",
    "from_json",
    "kinds_of",
    "to_json",
]

RootOperation = (
    SettingOperation
    | FirewallOperation
    | ArtifactOperation
    | ReleaseOperation
    | ResolverOperation
    | CleanupOperation
    | LimitOperation
    | SecretOperation
    | NetworkOperation
    | PortOperation
    | DropInOperation
)

Operation = UnitOperation | CommandOperation | RootOperation


def to_json(operation: Operation) -> dict[str, Any]:
    """The operation as a JSON object with its tag under `type`."""
    result: dict[str, Any] = msgspec.to_builtins(operation)
    return result


def from_json(value: dict[str, Any]) -> Operation:
    """The operation that `to_json` wrote. Raises msgspec.ValidationError for one that this version does not know."""
    operation: Operation = msgspec.convert(value, Operation)
    return operation
