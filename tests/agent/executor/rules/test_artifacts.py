import pytest
from tests.agent.executor.rules.declared import COPY, SHA256, TOOL, policy

from guardian_agent.config import PlaybookSettings
from guardian_agent.executor.rules import refusal, refusal_to_tell
from guardian_agent.host.operations import ArtifactOperation, PutBackArtifact, QuarantineArtifact
from guardian_agent.host.questions import JudgeCopy

ALLOWED: list[ArtifactOperation] = [
    QuarantineArtifact(TOOL, COPY, "tool-1", SHA256),
    QuarantineArtifact("/usr/sbin/web", "/var/lib/good/web", "web-1"),
    PutBackArtifact(TOOL, "tool-1"),
]
FORBIDDEN: list[ArtifactOperation] = [
    QuarantineArtifact("/etc/passwd", COPY, "x", SHA256),
    QuarantineArtifact(TOOL, "/tmp/tool", "x", SHA256),
    QuarantineArtifact(TOOL, COPY, "x", "b" * 64),
    QuarantineArtifact(TOOL, COPY, "x"),  # the package's MD5 instead of the declared hash
    QuarantineArtifact("/usr/sbin/web", "/var/lib/good/web", "x", SHA256),
    QuarantineArtifact("/etc/web.conf", "", "x", SHA256),
    PutBackArtifact("/etc/passwd", "tool-1"),
]


@pytest.mark.parametrize("operation", ALLOWED, ids=repr)
def test_what_is_declared_is_done(operation: ArtifactOperation) -> None:
    assert refusal(operation, policy()) == ""


@pytest.mark.parametrize("operation", FORBIDDEN, ids=lambda operation: repr(operation)[:80])
def test_what_is_not_declared_is_not_done(operation: ArtifactOperation) -> None:
    assert refusal(operation, policy())


@pytest.mark.parametrize("operation", ALLOWED, ids=repr)
def test_a_playbook_that_is_not_enabled_needs_nothing_done(operation: ArtifactOperation) -> None:
    switched_off = {"quarantine_artifacts": PlaybookSettings(enabled=False)}
    assert "enabled is false" in refusal(operation, policy(settings=switched_off))


@pytest.mark.parametrize("operation", ALLOWED, ids=repr)
def test_a_protected_component_keeps_what_it_has(operation: ArtifactOperation) -> None:
    assert refusal(operation, policy(protected="web.service"))


def test_only_declared_copies_are_judged() -> None:
    assert refusal_to_tell(JudgeCopy(TOOL, COPY, SHA256), policy()) == ""
    assert refusal_to_tell(JudgeCopy("/usr/sbin/web", "/var/lib/good/web"), policy()) == ""
    for question in (JudgeCopy(TOOL, "/etc/shadow", SHA256), JudgeCopy("/etc/shadow", COPY, SHA256)):
        assert "is not declared" in refusal_to_tell(question, policy())
