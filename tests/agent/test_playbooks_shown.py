from pathlib import Path

import msgspec
from tests.agent.test_daemon import config

from guardian_agent.config import PlaybookSettings
from guardian_agent.custom.catalogue import Catalogue
from guardian_agent.model import Tier
from guardian_agent.playbooks import PLAYBOOKS
from guardian_agent.playbooks_shown import HEADING, playbooks_shown, report_lines, rows

CONFIG = msgspec.structs.replace(
    config(Path("/nowhere")),
    playbooks={"restart_service": PlaybookSettings(tier=Tier.ONE_APPROVER, enabled=False)},
)
STATUS = {
    "playbooks": {
        "restart_service": {"executions": 3, "successes": 2, "failures": 1, "last_run_wall_ns": 1_800_000_000 * 10**9}
    },
    "disabled_playbooks": {"restart_service": "for web: it could not undo"},
}


def test_every_playbook_is_shown_with_what_holds_on_this_host() -> None:
    shown = {one.id: one for one in playbooks_shown(Catalogue(), CONFIG, STATUS)}
    assert set(shown) == {playbook.playbook_id() for playbook in PLAYBOOKS}
    one = shown["restart_service"]
    assert (one.family, one.tier, one.enabled) == ("auto_heal", 2, False)
    assert (one.executions, one.successes, one.failures) == (3, 2, 1)
    assert one.last_run_at == "2027-01-15T08:00:00+00:00" and one.disabled == "for web: it could not undo"
    assert shown["restart_component"].disabled == ""
    assert shown["run_diagnostics"].beside == "unhealed" and shown["run_diagnostics"].executions == 0


def test_without_an_agent_the_counts_are_not_known() -> None:
    shown = playbooks_shown(Catalogue(), CONFIG, None)
    assert {(one.executions, one.last_run_at) for one in shown} == {(None, None)}
    assert {row[4] for row in rows(shown)} == {"-"}
    assert all(len(row) == len(HEADING) for row in rows(shown))


def test_a_report_is_told_in_lines() -> None:
    findings = {
        "sentence": "1 problem.",
        "problems": ["backup.service has failed"],
        "looks": {"good": 3, "bad": 0},
        "sections": {"disks": ["/ is large"], "refused": []},
        "cut": {"disks": "2 lines are left out"},
        "not_read": {"sockets": "no netlink"},
    }
    assert report_lines(findings) == [
        "1 problem.",
        "  problem: backup.service has failed",
        "looks: good 3, bad 0",
        "disks:",
        "  / is large",
        "disks: 2 lines are left out",
        "sockets: could not be read: no netlink",
    ]
