import pytest
from tests.agent.executor.rules.declared import CURRENT, FOLDER, policy

from guardian_agent.config import PlaybookSettings
from guardian_agent.executor.rules import refusal
from guardian_agent.host.operations import ReleaseOperation, SwitchRelease

ALLOWED: list[ReleaseOperation] = [
    SwitchRelease(FOLDER, CURRENT, "releases/1"),
    SwitchRelease(FOLDER, CURRENT, "/srv/web/releases/1"),
    SwitchRelease(FOLDER, CURRENT, ""),
]
FORBIDDEN: list[ReleaseOperation] = [
    SwitchRelease(FOLDER, "/etc/passwd", "releases/1"),
    SwitchRelease("/", CURRENT, "releases/1"),
    SwitchRelease(FOLDER, CURRENT, "/tmp/evil"),
    SwitchRelease(FOLDER, CURRENT, "releases"),
    SwitchRelease(FOLDER, CURRENT, "releases/../../../tmp/evil"),
    SwitchRelease(FOLDER, CURRENT, "releases/link/../1"),
    SwitchRelease(FOLDER, CURRENT, "releases-evil/1"),
    SwitchRelease(FOLDER, CURRENT, "releases/1\0"),
    SwitchRelease(FOLDER, CURRENT, "releases/" + "x" * 5000),
]


@pytest.mark.parametrize("operation", ALLOWED, ids=repr)
def test_what_is_declared_is_done(operation: ReleaseOperation) -> None:
    assert refusal(operation, policy()) == ""


@pytest.mark.parametrize("operation", FORBIDDEN, ids=lambda operation: repr(operation)[:80])
def test_what_is_not_declared_is_not_done(operation: ReleaseOperation) -> None:
    assert refusal(operation, policy())


@pytest.mark.parametrize("operation", ALLOWED, ids=repr)
def test_a_playbook_that_is_not_enabled_needs_nothing_done(operation: ReleaseOperation) -> None:
    switched_off = {"rollback_deployment": PlaybookSettings(enabled=False)}
    assert "enabled is false" in refusal(operation, policy(settings=switched_off))


@pytest.mark.parametrize("operation", ALLOWED, ids=repr)
def test_a_protected_component_keeps_what_it_has(operation: ReleaseOperation) -> None:
    assert refusal(operation, policy(protected="web.service"))
