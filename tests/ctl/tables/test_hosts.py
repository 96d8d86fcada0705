from tests.ctl import answers
from tests.ctl.tables.conftest import Printed

from guardian_ctl.tables.hosts import host_list, playbook_list
from guardian_ctl.wording import NOTHING


def test_a_host_that_is_gone_says_for_how_long(printed: Printed) -> None:
    text = printed(host_list({"hosts": [answers.host(connected=False, stale=True)], "next_cursor": None}))
    assert "silent for" in text


def test_more_pages_are_pointed_at(printed: Printed) -> None:
    text = printed(host_list({"hosts": [answers.host()], "next_cursor": "abc"}))
    assert "there is more: --limit, or --cursor abc" in text


def test_a_playbook_that_never_ran_has_no_success_rate(printed: Printed) -> None:
    executions = {"total": 0, "running": 0, "by_outcome": {}, "success_rate": None}
    told = answers.playbook(executions=executions, success_rate=None, family=None, tier=None)
    _, row = printed(playbook_list({"playbooks": [told], "next_cursor": None})).splitlines()
    assert row.split() == ["restart_component", NOTHING, NOTHING, "1", "0", "0", NOTHING, NOTHING, "process_crashed"]
