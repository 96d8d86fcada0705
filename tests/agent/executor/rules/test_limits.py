"""The agent is in an enemy's hands: it sends whatever it likes."""

from typing import Any

import pytest
from tests.agent.executor.rules.policies import policy_with

from guardian_agent.executor import rules
from guardian_agent.host.operations import ResetUnitLimit, SetUnitLimit
from guardian_agent.host.operations.limits import NO_LIMIT

POLICY = policy_with({}, units=frozenset({"web.service"}), protected=frozenset({"vip.service", "init.scope"}))


@pytest.mark.parametrize(
    "operation",
    [
        SetUnitLimit("batch.service", "CPUWeight", 10),
        SetUnitLimit("job-1.scope", "IOWeight", 1),
        SetUnitLimit("batch.service", "MemoryHigh", 1 << 30),
        SetUnitLimit("web.service", "TasksMax", 400),
        SetUnitLimit("web.service", "CPUWeight", 200),
        ResetUnitLimit("batch.service", "CPUWeight", NO_LIMIT, was_set_before=False),
        ResetUnitLimit("web.service", "TasksMax", 2, was_set_before=True),
    ],
)
def test_a_stranger_may_be_slowed_a_component_raised_and_each_put_back(operation: Any) -> None:
    assert rules.refusal(operation, POLICY) == ""


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (SetUnitLimit("vip.service", "CPUWeight", 10), "may be changed"),
        (SetUnitLimit("init.scope", "CPUWeight", 10), "may be changed"),
        (SetUnitLimit("system.slice", "CPUWeight", 10), "may be changed"),
        (SetUnitLimit("-.slice", "TasksMax", 16), "may be changed"),
        (SetUnitLimit("ssh.service", "CPUWeight", 10), "may be changed"),
        (SetUnitLimit("sshd.service", "CPUWeight", 10), "may be changed"),
        (SetUnitLimit("guardian-agent.service", "CPUWeight", 10), "may be changed"),
        (SetUnitLimit("a/../b.service", "CPUWeight", 10), "may be changed"),
        (SetUnitLimit("", "CPUWeight", 10), "may be changed"),
        (SetUnitLimit("batch.service", "ExecStart", 10), "not among the limits"),
        (SetUnitLimit("batch.service", "CPUWeight", 0), "not allowed"),
        (SetUnitLimit("batch.service", "CPUWeight", 101), "not allowed"),
        (SetUnitLimit("batch.service", "TasksMax", 100), "not allowed"),
        (SetUnitLimit("batch.service", "MemoryHigh", 4096), "not allowed"),
        (SetUnitLimit("batch.service", "MemoryHigh", NO_LIMIT), "not allowed"),
        (SetUnitLimit("web.service", "CPUWeight", 99), "not allowed"),
        (SetUnitLimit("web.service", "MemoryHigh", 1 << 30), "not allowed"),
        (SetUnitLimit("web.service", "TasksMax", 1), "not allowed"),
        (ResetUnitLimit("vip.service", "CPUWeight", 1, was_set_before=True), "may be changed"),
        (ResetUnitLimit("batch.service", "CPUWeight", -1, was_set_before=True), "not allowed"),
        (ResetUnitLimit("batch.service", "CPUWeight", 1 << 64, was_set_before=True), "not allowed"),
    ],
)
def test_nothing_else_is(operation: Any, reason: str) -> None:
    assert reason in rules.refusal(operation, POLICY)


def test_nothing_is_where_the_playbook_does_not_run() -> None:
    off = policy_with({"performance_optimization": {}}, enabled=False)
    assert "enabled is false" in rules.refusal(SetUnitLimit("batch.service", "CPUWeight", 10), off)
