"""The executor is tested with a change that is allowed on every machine, and that no playbook makes."""

from typing import Any

import pytest

from guardian_agent.executor.policy import Policy
from guardian_agent.executor.rules import RULES
from guardian_agent.host.operations import WriteSysctl


@pytest.fixture(autouse=True)
def a_setting_that_may_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule of settings itself allows what depends on the machine: see rules/test_settings.py."""

    def refusal(operation: WriteSysctl, _: Policy) -> str:
        fine = operation.name == "net.core.somaxconn" and operation.value.isdecimal()
        return "" if fine else f"{operation.name} is not among the kernel settings that may be changed"

    rules: dict[Any, Any] = RULES
    monkeypatch.setitem(rules, WriteSysctl, refusal)
