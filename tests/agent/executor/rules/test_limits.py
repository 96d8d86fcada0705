"""The agent is in an enemy's hands: it sends whatever it likes."""

from typing import Any

import pytest
from tests.agent.executor.rules.policies import policy_with

from guardian_agent.executor import rules
from guardian_agent.host.operations import ResetUnitLimit, SetUnitLimit
from guardian_agent.host.operations.limits import NO_LIMIT

POLICY = policy_with(
    {"performance_optimization": {"spare": ("backup.service",)}},
    units=frozenset({"web.service"}),
    protected=frozenset({"vip.service", "init.scope"}),
)
NOBODY_S = [
    "vip.service",
    "init.scope",
    "system.slice",
    "-.slice",
    "ssh.service",
    "sshd.service",
    "ssh@1.service",
    "session-1.scope",
    "user@1000.service",
    "guardian-agent.service",
    "NetworkManager.service",
    "networking.service",
    "getty@tty1.service",
    "serial-getty@ttyS0.service",
    "a/../b.service",
    "",
]


@pytest.mark.parametrize(
    "operation",
    [
        SetUnitLimit("batch.service", "CPUWeight", 10),
        SetUnitLimit("job-1.scope", "IOWeight", 100),
        SetUnitLimit("batch.service", "MemoryHigh", 1 << 30),
        SetUnitLimit("web.service", "TasksMax", 400),
        ResetUnitLimit("batch.service", "CPUWeight"),
        ResetUnitLimit("backup.service", "CPUWeight"),
        ResetUnitLimit("web.service", "TasksMax"),
    ],
)
def test_a_stranger_may_be_slowed_a_component_given_more_tasks_and_each_put_back(operation: Any) -> None:
    assert rules.refusal(operation, POLICY) == ""


@pytest.mark.parametrize("unit", NOBODY_S)
def test_what_is_protected_or_the_host_lives_by_is_left_alone(unit: str) -> None:
    for operation in (SetUnitLimit(unit, "CPUWeight", 10), ResetUnitLimit(unit, "CPUWeight")):
        assert "limits may be changed" in rules.refusal(operation, POLICY)


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (SetUnitLimit("batch.service", "ExecStart", 10), "not among the limits"),
        (ResetUnitLimit("batch.service", "ExecStart"), "not among the limits"),
        (SetUnitLimit("backup.service", "CPUWeight", 10), "is spared"),
        (SetUnitLimit("batch.service", "CPUWeight", 9), "not allowed"),
        (SetUnitLimit("batch.service", "CPUWeight", 0), "not allowed"),
        (SetUnitLimit("batch.service", "IOWeight", 101), "not allowed"),
        (SetUnitLimit("batch.service", "TasksMax", 100), "only raised"),
        (SetUnitLimit("batch.service", "MemoryHigh", 4096), "not allowed"),
        (SetUnitLimit("batch.service", "MemoryHigh", NO_LIMIT), "not allowed"),
        (SetUnitLimit("web.service", "CPUWeight", 99), "not slowed"),
        (SetUnitLimit("web.service", "CPUWeight", 200), "not slowed"),
        (SetUnitLimit("web.service", "MemoryHigh", NO_LIMIT - 1), "not slowed"),
        (SetUnitLimit("web.service", "TasksMax", 1), "not allowed"),
        (SetUnitLimit("web.service", "TasksMax", 63), "not allowed"),
    ],
)
def test_nothing_else_is_done(operation: Any, reason: str) -> None:
    assert reason in rules.refusal(operation, POLICY)


def test_nothing_is_where_the_playbook_does_not_run() -> None:
    off = policy_with({"performance_optimization": {}}, enabled=False)
    for operation in (SetUnitLimit("batch.service", "CPUWeight", 10), ResetUnitLimit("batch.service", "CPUWeight")):
        assert "enabled is false" in rules.refusal(operation, off)
