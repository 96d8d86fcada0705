from tests.ctl import answers
from tests.ctl.tables.conftest import Printed

from guardian_ctl.tables.fleet import fleet, recovery
from guardian_ctl.wording import NOTHING


def test_nothing_known_is_a_dash_and_no_zero(printed: Printed) -> None:
    text = printed(fleet(answers.stats()))
    assert f"MTTR                {NOTHING}" in text
    assert f"p50 {NOTHING}, p90 {NOTHING}" in text


def test_what_no_probe_looks_at_is_not_listed(printed: Printed) -> None:
    text = printed(fleet(answers.stats()))
    assert "4 transport" in text
    assert "physical" not in text


def test_a_failing_layer_names_hosts_and_issues(printed: Printed) -> None:
    failing = [{"host": "web-1", "target": "web", "issue_type": "connection_refused"}]
    layers = [answers.layer(4, "transport", "failing", failing_conditions=failing)]
    assert "failing on 1 host; web-1 web: connection_refused" in printed(fleet(answers.stats(layers=layers)))


def test_what_is_missing_and_what_is_noted_is_said(printed: Printed) -> None:
    coverage = {"complete": False, "records_lost": 1, "stale_agents": 2}
    text = printed(fleet(answers.stats(coverage=coverage, notes=["too few to say"])))
    assert "1 record lost, 2 agents stale" in text
    assert "note: too few to say" in text


def test_only_outcomes_that_happened_are_counted_out(printed: Printed) -> None:
    executions = {"total": 3, "running": 1, "by_outcome": {"healed": 2, "stuck": 0}, "success_rate": 1.0}
    assert "3: 2 healed, 1 running; success rate 100 %" in printed(fleet(answers.stats(executions=executions)))


def test_groups_have_a_line_each_and_the_incidents_that_no_playbook_healed_theirs(printed: Printed) -> None:
    groups = [answers.recovery(2, playbook="restart_component", mttr_seconds=1.5, auto_heal_ratio=1.0)]
    answer: answers.Json = {"playbooks": groups, "without_playbook": answers.recovery(1, open=1)}
    answer |= {"window": answers.WINDOW, "target_seconds": 120.0}
    _, _, first, second = printed(recovery(answer, "playbooks", "playbook", "playbook")).splitlines()
    assert first.split()[:5] == ["restart_component", "2", "0", "1.50", "s"]
    assert second.split()[:4] == ["(none)", "1", "1", NOTHING]
