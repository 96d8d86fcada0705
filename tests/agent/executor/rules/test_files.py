"""The rules for declared files, releases and name resolution, asked as a compromised agent would ask them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from guardian_agent.config import AgentConfig, PlaybookSettings
from guardian_agent.executor.policy import Policy
from guardian_agent.executor.rules import refusal, refusal_to_tell
from guardian_agent.host.operations import (
    PutBackArtifact,
    QuarantineArtifact,
    RemoveText,
    RootOperation,
    SetLink,
    SwitchRelease,
    WriteText,
)
from guardian_agent.host.questions import JudgeCopy
from guardian_agent.model import Artifact, Component, Mode, Releases

TOOL, COPY, SHA256 = "/usr/bin/tool", "/var/lib/good/tool", "a" * 64
FOLDER, CURRENT = "/srv/web/releases", "/srv/web/current"
WEB = Component(
    name="web",
    unit="web.service",
    releases=Releases(folder=FOLDER, current=CURRENT),
    artifacts=(
        Artifact(path=TOOL, sha256=SHA256, good_copy=COPY),
        Artifact(path="/usr/sbin/web", dpkg=True, good_copy="/var/lib/good/web"),
        Artifact(path="/etc/web.conf", sha256=SHA256),
    ),
)
ALLOWED: list[RootOperation] = [
    WriteText("/etc/resolv.conf", b"nameserver 198.18.0.1\n"),
    WriteText("/etc/hosts", b"", 0o600),
    SetLink("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf"),
    SetLink("/etc/resolv.conf", "/run/NetworkManager/resolv.conf"),
    RemoveText("/etc/hosts"),
    QuarantineArtifact(TOOL, COPY, "tool-1", SHA256),
    QuarantineArtifact("/usr/sbin/web", "/var/lib/good/web", "web-1"),
    PutBackArtifact(TOOL, "tool-1"),
    SwitchRelease(FOLDER, CURRENT, "releases/1"),
    SwitchRelease(FOLDER, CURRENT, "/srv/web/releases/1"),
    SwitchRelease(FOLDER, CURRENT, ""),
]
FORBIDDEN: list[RootOperation] = [
    WriteText("/etc/passwd", b""),
    WriteText("/etc/../etc/hosts", b""),
    WriteText("/etc/hosts", b"x" * 65537),
    WriteText("/etc/hosts", b"", 0o666),
    WriteText("/etc/hosts", b"", 0o755),
    WriteText("/etc/hosts", b"", 0o4644),
    WriteText("/etc/hosts", b"", 0o644, 998),
    WriteText("/etc/hosts", b"", 0o644, 0, 998),
    SetLink("/etc/hosts", "/run/systemd/resolve/stub-resolv.conf"),
    SetLink("/etc/resolv.conf", "/etc/shadow"),
    SetLink("/etc/resolv.conf", "/run/systemd/resolve/../../../etc/shadow"),
    SetLink("/etc/resolv.conf", "../run/x/../systemd/resolve/stub-resolv.conf"),
    SetLink("/etc/passwd", "/run/systemd/resolve/resolv.conf"),
    RemoveText("/etc/passwd"),
    QuarantineArtifact("/etc/passwd", COPY, "x", SHA256),
    QuarantineArtifact(TOOL, "/tmp/tool", "x", SHA256),
    QuarantineArtifact(TOOL, COPY, "x", "b" * 64),
    QuarantineArtifact(TOOL, COPY, "x"),  # the package's MD5 instead of the declared hash
    QuarantineArtifact("/usr/sbin/web", "/var/lib/good/web", "x", SHA256),
    QuarantineArtifact("/etc/web.conf", "", "x", SHA256),
    PutBackArtifact("/etc/passwd", "tool-1"),
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


def policy(*, protected: str = "sshd.service", settings: Mapping[str, PlaybookSettings] | None = None) -> Policy:
    config = AgentConfig(
        agent_id="h1",
        state_dir=Path("/nowhere"),
        socket=Path("/nowhere/socket"),
        labels={},
        protected=(),
        actions_per_hour=6,
        host_probes=True,
        page_command=None,
        aggregator=None,
        probes={},
        ladders={},
        components=(WEB,),
        mode=Mode.HEAL,
        hold_file=Path("/nowhere/hold"),
        playbooks=dict(settings or {}),
    )
    return Policy(config, units=frozenset({"web.service"}), protected=frozenset({protected}))


@pytest.mark.parametrize("operation", ALLOWED, ids=repr)
def test_what_is_declared_is_done(operation: RootOperation) -> None:
    assert refusal(operation, policy()) == ""


@pytest.mark.parametrize("operation", FORBIDDEN, ids=lambda operation: repr(operation)[:80])
def test_what_is_not_declared_is_not_done(operation: RootOperation) -> None:
    assert refusal(operation, policy())


@pytest.mark.parametrize("operation", ALLOWED[5:], ids=repr)
def test_a_protected_component_keeps_its_files(operation: RootOperation) -> None:
    assert refusal(operation, policy(protected="web.service"))


@pytest.mark.parametrize("operation", ALLOWED, ids=repr)
def test_a_playbook_that_is_not_enabled_needs_nothing_done(operation: RootOperation) -> None:
    ids = ("restore_resolver", "quarantine_artifacts", "rollback_deployment")
    switched_off = dict.fromkeys(ids, PlaybookSettings(enabled=False))
    assert "enabled is false" in refusal(operation, policy(settings=switched_off))


def test_only_declared_copies_are_judged() -> None:
    assert refusal_to_tell(JudgeCopy(TOOL, COPY, SHA256), policy()) == ""
    assert refusal_to_tell(JudgeCopy("/usr/sbin/web", "/var/lib/good/web"), policy()) == ""
    for question in (JudgeCopy(TOOL, "/etc/shadow", SHA256), JudgeCopy("/etc/shadow", COPY, SHA256)):
        assert "is not declared" in refusal_to_tell(question, policy())
