"""What `guardian-agent playbook` and `playbooks` answer."""

import asyncio
from collections.abc import Collection
from typing import Any

import msgspec

from guardian_agent import oneshot
from guardian_agent.config import AgentConfig
from guardian_agent.console import complain, show, show_json, show_table
from guardian_agent.custom.catalogue import Catalogue
from guardian_agent.errors import CannotPlanError, UsageError
from guardian_agent.healing.ladders import DEFAULT_LADDERS
from guardian_agent.host import Host
from guardian_agent.model import Tier
from guardian_agent.playbooks import Playbook
from guardian_agent.playbooks.scheduled import Scheduled
from guardian_agent.playbooks_shown import HEADING, playbooks_shown, report_lines, rows
from guardian_agent.runtime.local_socket import LocalSocketError, ask
from guardian_toml import nearest

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
    """What a playbook would do now, or what it finds, or the reason why it would do nothing.

    Raises:
        UsageError: it would change something, and was not asked for a dry run; or there is no such component or issue
            type.
    """
    playbook = catalogue.configured(config.playbooks)[wanted.playbook_id]
    if playbook.tier > Tier.OBSERVES and not wanted.dry_run:
        raise UsageError(f"{wanted.playbook_id} would change something, and here nothing may: add --dry-run")
    if not isinstance(playbook, Scheduled):
        return await _of_one(wanted, config, host, playbook, catalogue)
    if (wanted.component, wanted.issue_type) != (None, None):
        raise UsageError(f"{wanted.playbook_id} is about the whole host: leave out --component and --issue")
    findings = None if wanted.dry_run else await _found_by_agent(config, playbook)
    if findings is None:
        findings = await oneshot.check_up(config, host, playbook, catalogue, ever_good=ever_good)
    return _nothing(wanted) | {"findings": findings}


async def _of_one(
    wanted: Wanted, config: AgentConfig, host: Host, playbook: Playbook, catalogue: Catalogue
) -> dict[str, Any]:
    if wanted.issue_type is not None:
        _insist_on_issue_type(wanted.issue_type, playbook, catalogue)
    target = None
    try:
        target = await oneshot.choose_target(config, host, wanted.component, playbook, catalogue.probes)
        return await oneshot.dry_run(config, host, playbook, target, wanted.issue_type, catalogue)
    except CannotPlanError as error:
        return _nothing(wanted) | {"target": target, "reason": str(error)}


def _insist_on_issue_type(given: str, playbook: Playbook, catalogue: Catalogue) -> None:
    """Raises UsageError for one that nobody knows."""
    known = catalogue.issue_types | set(DEFAULT_LADDERS) | set(playbook.heals)
    if given not in known:
        healed = f"; {playbook.playbook_id()} heals: {', '.join(playbook.heals) or 'nothing'}"
        raise UsageError(f"no issue type {given!r}{nearest(given, known) or healed}")


def _nothing(wanted: Wanted) -> dict[str, Any]:
    return {
        "playbook": wanted.playbook_id,
        "target": None,
        "issue_type": wanted.issue_type or "",
        "steps": [],
        "findings": {},
        "reason": "",
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
    """Shows it; answers the exit code, 1 where there are problems, or where nothing would be done."""
    findings = answer["findings"]
    if as_json:
        show_json(answer)
    elif answer["reason"]:
        complain(f"{answer['playbook']} would do nothing: {answer['reason']}")
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
    return 1 if answer["reason"] or findings.get("problems") else 0


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
