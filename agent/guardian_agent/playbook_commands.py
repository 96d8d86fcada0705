"""What `guardian-agent playbook` and `playbooks` answer."""

import asyncio
from collections.abc import Collection
from typing import Any

import msgspec

from guardian_agent import oneshot
from guardian_agent.config import AgentConfig
from guardian_agent.console import complain, show, show_json, show_table
from guardian_agent.custom.catalogue import Catalogue
from guardian_agent.errors import UsageError
from guardian_agent.host import Host
from guardian_agent.model import Tier
from guardian_agent.playbooks.scheduled import Scheduled
from guardian_agent.playbooks_shown import HEADING, playbooks_shown, report_lines, rows
from guardian_agent.runtime.local_socket import LocalSocketError, ask

ASK_S = 5.0  # beyond the time that the playbook has


class Wanted(msgspec.Struct, frozen=True):
    """Which playbook, for what."""

    playbook_id: str
    component: str | None = None
    issue_type: str | None = None
    dry_run: bool = False


async def found(
    wanted: Wanted, config: AgentConfig, host: Host, catalogue: Catalogue, ever_good: Collection[str] | None
) -> dict[str, Any]:
    """What a playbook would do now, or what it finds.

    Raises:
        UsageError: it would change something, and was not asked for a dry run.
        CannotPlanError: it is no remedy for what it finds.
    """
    playbook = catalogue.configured(config.playbooks)[wanted.playbook_id]
    if playbook.tier > Tier.OBSERVES and not wanted.dry_run:
        raise UsageError(f"{wanted.playbook_id} would change something, and here nothing may: add --dry-run")
    if not isinstance(playbook, Scheduled):
        target = await oneshot.choose_target(config, host, wanted.component, playbook, catalogue.probes)
        return await oneshot.dry_run(config, host, playbook, target, wanted.issue_type, catalogue)
    findings = None if wanted.dry_run else await _found_by_agent(config, playbook)
    if findings is None:
        findings = await oneshot.check_up(config, host, playbook, catalogue, ever_good=ever_good)
    return {
        "playbook": wanted.playbook_id,
        "target": None,
        "issue_type": "",
        "steps": [],
        "findings": findings,
    }


async def _found_by_agent(config: AgentConfig, playbook: Scheduled) -> dict[str, Any] | None:
    """What the running agent finds, which records it; None where none runs."""
    request = {"command": "observe", "playbook": playbook.playbook_id()}
    try:
        told = await asyncio.to_thread(ask, config.socket, request, playbook.observes_within_s + ASK_S)
    except LocalSocketError as error:
        complain(f"it is not recorded, since the agent does not run it: {error}")
        return None
    return told["evidence"] or {"sentence": told["reason"]}


def show_found(answer: dict[str, Any], *, as_json: bool) -> int:
    """Shows it; answers the exit code, 1 where there are problems."""
    findings = answer["findings"]
    if as_json:
        show_json(answer)
    elif answer["steps"]:
        show(f"{answer['playbook']} for {answer['target']}, as if it had {answer['issue_type'] or 'no issue'}:")
        for number, step in enumerate(answer["steps"], 1):
            show(f"  {number}. {step['do']}", f"     undone by: {step['undo'] or 'nothing; it cannot be undone'}")
        if findings:
            show_json(findings)
    elif "sections" in findings:
        show(*report_lines(findings))
    else:
        show_json(findings)
    return 1 if findings.get("problems") else 0


def show_all(catalogue: Catalogue, config: AgentConfig, *, as_json: bool) -> None:
    """Shows all playbooks, with their counts where the agent runs."""
    status = None
    try:
        status = ask(config.socket, {"command": "status"})
    except LocalSocketError as error:
        complain(f"what they have done is not known: {error}")
    playbooks = playbooks_shown(catalogue, config, status)
    if as_json:
        show_json({"playbooks": msgspec.to_builtins(playbooks)})
        return
    show_table(HEADING, rows(playbooks))
    for one in playbooks:
        if one.disabled:
            show(f"disabled: {one.id}: {one.disabled}")
