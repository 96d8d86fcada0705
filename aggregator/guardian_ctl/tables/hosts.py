"""Hosts, and the playbooks that they run."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from guardian_ctl.tables.layout import Grid, more, toned
from guardian_ctl.wording import moment, plain, seconds, share, since, zone

TIERS = {0: "0 observes", 1: "1 by itself", 2: "2 one approver", 3: "3 two approvers"}


def host_list(answer: dict[str, Any], *, narrowed: bool = False) -> RenderableType:
    """What `/api/guardian/hosts` answers. `narrowed`: not all of them were asked for."""
    if not answer["hosts"]:
        return Text(f"no hosts: {_why_none(narrowed=narrowed)}")
    table = Grid("host", "state", "mode", "?version", f"?first seen ({zone()})", "watches", "labels")
    for host in answer["hosts"]:
        table.add_row(
            plain(host["id"]),
            _state(host),
            plain(host["mode"]),
            plain(host["version"]),
            moment(host["first_seen_at"]),
            plain(", ".join(host["targets"])),
            plain(", ".join(f"{key}={value}" for key, value in host["labels"].items())),
        )
    return Group(table, *more(answer))


def playbook_list(answer: dict[str, Any], *, narrowed: bool = False) -> RenderableType:
    """What `/api/guardian/playbooks` answers. `narrowed`: not all of them were asked for."""
    if not answer["playbooks"]:
        return Text(f"no playbooks: {_why_none(narrowed=narrowed)}")
    table = Grid(
        *("playbook", "?family", "tier", "?>hosts", ">runs", ">healed", ">success", f"?last run ({zone()})", "?heals"),
    )
    for playbook in answer["playbooks"]:
        executions = playbook["executions"]
        table.add_row(
            plain(playbook["id"]),
            plain(playbook["family"]),
            TIERS.get(playbook["tier"], plain(playbook["tier"])),
            str(playbook["hosts"]),
            str(executions["total"]),
            str(executions["by_outcome"].get("healed", 0)),
            share(playbook["success_rate"]),
            moment(playbook["last_run_at"]),
            plain(", ".join(playbook["heals"])),
        )
    return Group(table, *more(answer))


def _why_none(*, narrowed: bool) -> str:
    return "none is as asked for" if narrowed else "no agent has ever connected"


def _state(host: dict[str, Any]) -> Text:
    if host["connected"]:
        return toned("connected", "good")
    silent = f"silent for {seconds(since(host['last_seen_at']))}"
    return toned(silent, "bad" if host["stale"] else "warning")
