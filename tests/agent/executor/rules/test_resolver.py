import pytest
from tests.agent.executor.rules.declared import policy

from guardian_agent.config import PlaybookSettings
from guardian_agent.executor.rules import refusal
from guardian_agent.host.operations import RemoveText, ResolverOperation, WriteLink, WriteText

ALLOWED: list[ResolverOperation] = [
    WriteText("/etc/resolv.conf", b"nameserver 198.18.0.1\n"),
    WriteText("/etc/hosts", b"", 0o600),
    WriteLink("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf"),
    WriteLink("/etc/resolv.conf", "/run/NetworkManager/resolv.conf"),
    RemoveText("/etc/hosts"),
]
FORBIDDEN: list[ResolverOperation] = [
    WriteText("/etc/passwd", b""),
    WriteText("/etc/../etc/hosts", b""),
    WriteText("/etc/hosts", b"x" * 65537),
    WriteText("/etc/hosts", b"", 0o666),
    WriteText("/etc/hosts", b"", 0o755),
    WriteText("/etc/hosts", b"", 0o4644),
    WriteText("/etc/hosts", b"", 0o644, 998),
    WriteText("/etc/hosts", b"", 0o644, 0, 998),
    WriteLink("/etc/hosts", "/run/systemd/resolve/stub-resolv.conf"),
    WriteLink("/etc/resolv.conf", "/etc/shadow"),
    WriteLink("/etc/resolv.conf", "/run/systemd/resolve/../../../etc/shadow"),
    WriteLink("/etc/resolv.conf", "../run/x/../systemd/resolve/stub-resolv.conf"),
    WriteLink("/etc/passwd", "/run/systemd/resolve/resolv.conf"),
    RemoveText("/etc/passwd"),
]


@pytest.mark.parametrize("operation", ALLOWED, ids=repr)
def test_what_is_declared_is_done(operation: ResolverOperation) -> None:
    assert refusal(operation, policy()) == ""


@pytest.mark.parametrize("operation", FORBIDDEN, ids=lambda operation: repr(operation)[:80])
def test_what_is_not_declared_is_not_done(operation: ResolverOperation) -> None:
    assert refusal(operation, policy())


@pytest.mark.parametrize("operation", ALLOWED, ids=repr)
def test_a_playbook_that_is_not_enabled_needs_nothing_done(operation: ResolverOperation) -> None:
    switched_off = {"restore_resolver": PlaybookSettings(enabled=False)}
    assert "enabled is false" in refusal(operation, policy(settings=switched_off))
