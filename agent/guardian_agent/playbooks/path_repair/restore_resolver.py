"""Goes back to the name resolution's files that were seen good."""

from typing import ClassVar

from guardian_agent.errors import CannotPlanError
from guardian_agent.host import Host
from guardian_agent.host.name_files import NAME_FILES, KeptFile, kept_file, packages_as_of
from guardian_agent.host.operations import RemoveText, WriteLink, WriteText
from guardian_agent.host.operations.resolver import unfit
from guardian_agent.model import Tier
from guardian_agent.playbooks.base import Plan, Playbook, Situation, Step


class RestoreResolver(Playbook, frozen=True):
    """Puts /etc/resolv.conf and /etc/hosts back as they were when names resolved, where they differ.

    Where neither differs, whoever answers is at fault and not this host; where packages changed meanwhile, the
    difference may be theirs.
    """

    heals: ClassVar = ("dns_failure", "dns_wrong")
    tier: ClassVar = Tier.ONE_APPROVER

    async def plan(self, situation: Situation, host: Host) -> Plan:
        good = host.known.good
        if not good.name_files:
            raise CannotPlanError(f"neither {' nor '.join(NAME_FILES)} was ever seen good on this host")
        if await packages_as_of(host.files) != good.packages_as_of:
            raise CannotPlanError("packages were installed or removed since names last resolved")
        steps, findings = [], {}
        for path, wanted in good.name_files.items():
            found = await kept_file(host.files, path)
            if found != wanted:
                steps.append(Step(_back_to(path, wanted), undo=_back_to(path, found)))
                findings[path] = {"found": str(found or "nothing"), "good": str(wanted)}
        if not steps:
            same = " and ".join(good.name_files)
            raise CannotPlanError(f"{same} as they were when names resolved: the fault is the name server's")
        return Plan(*steps, findings=findings)


def _back_to(path: str, file: KeptFile | None) -> WriteText | WriteLink | RemoveText:
    operation = _change(path, file)
    if reason := unfit(operation):
        raise CannotPlanError(f"{path}: {reason}")
    return operation


def _change(path: str, file: KeptFile | None) -> WriteText | WriteLink | RemoveText:
    if file is None:
        return RemoveText(path)
    if file.target:
        return WriteLink(path, file.target)
    return WriteText(path, file.content, file.mode, file.uid, file.gid)
