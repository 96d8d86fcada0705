"""The agent is in an enemy's hands: it sends whatever it likes."""

from pathlib import Path

import msgspec
import pytest
from tests.agent.executor.fakes import Stage, read_config

from guardian_agent.config import PlaybookSettings
from guardian_agent.executor.policy import Policy, PolicyError
from guardian_agent.executor.rules import settings
from guardian_agent.executor.rules.settings import WRITTEN, refusal
from guardian_agent.host.operations import ResetSysctl, WriteSysctl
from guardian_agent.host.operations.settings import LOCAL_PORTS, sysctl_path, with_usual_ports


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return Policy(read_config(Stage(tmp_path).file))


@pytest.fixture
def now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kernel says of its settings."""
    file = tmp_path / "now"
    file.write_text("40000\t40019\n")
    monkeypatch.setattr(settings, "sysctl_path", lambda _: str(file))
    return file


@pytest.mark.parametrize(
    ("said", "wider"),
    [("40000\t40019\n", "32768 60999"), ("1024 40000", "1024 60999"), ("1024\t65535", "1024 65535")],
)
def test_local_ports_become_as_many_as_is_usual(policy: Policy, now: Path, said: str, wider: str) -> None:
    now.write_text(said)
    assert refusal(WriteSysctl(LOCAL_PORTS, wider), policy) == ""
    now.write_text(wider)
    assert refusal(WriteSysctl(LOCAL_PORTS, wider), policy) == ""  # once more


@pytest.mark.parametrize(
    "value",
    ["1 1", "40000 40018", "1024 65535", "32768 61000", "32767 60999", "32768\t60999", "32768 60999\n", "0", "", "|x"],
)
@pytest.mark.usefixtures("now")
def test_and_nothing_else(policy: Policy, value: str) -> None:
    assert "may become '32768 60999'" in refusal(WriteSysctl(LOCAL_PORTS, value), policy)


@pytest.mark.parametrize("said", ["", "1", "a b", "1 2 3", "-1 5", "\uff11 2"])
def test_what_cannot_be_read_is_not_changed(policy: Policy, now: Path, said: str) -> None:
    now.write_text(said)
    assert refusal(WriteSysctl(LOCAL_PORTS, "32768 60999"), policy)
    now.unlink()
    assert "cannot be read" in refusal(WriteSysctl(LOCAL_PORTS, "32768 60999"), policy)


@pytest.mark.parametrize("said", ["", "1", "a b", "1 2 3", "-1 5", "\uff11 2"])
def test_what_is_no_range_has_no_wider_one(said: str) -> None:
    with pytest.raises(ValueError, match="ip_local_port_range is"):
        with_usual_ports(said)


@pytest.mark.parametrize(
    "name",
    [
        "kernel.core_pattern",
        "kernel.modprobe",
        "net.core.somaxconn",
        "net.netfilter.nf_conntrack_max",
        "vm.dirty_ratio",
        "net.ipv4.ip_local_port_range ",
        "net/ipv4/ip_local_port_range",
        "net.ipv4.ip_local_port_range/../../../kernel/core_pattern",
        "net.ipv4.IP_LOCAL_PORT_RANGE",
        "",
    ],
)
def test_no_setting_that_no_playbook_writes(policy: Policy, name: str) -> None:
    for operation in (WriteSysctl(name, "1"), ResetSysctl(name)):
        assert "is not among the kernel settings" in refusal(operation, policy)


def test_it_goes_back_to_what_root_knows(policy: Policy) -> None:
    assert refusal(ResetSysctl(LOCAL_PORTS), policy) == ""


def test_nothing_where_the_playbook_does_not_run(policy: Policy) -> None:
    off = {"performance_optimization": PlaybookSettings(enabled=False)}
    disabled = Policy(msgspec.structs.replace(policy.config, playbooks=off))
    for operation in (WriteSysctl(LOCAL_PORTS, "32768 60999"), ResetSysctl(LOCAL_PORTS)):
        with pytest.raises(PolicyError, match="enabled is false"):
            refusal(operation, disabled)


def test_every_setting_that_may_be_changed_has_a_path() -> None:
    assert all(sysctl_path(name).startswith("/proc/sys/") for name in WRITTEN)
