import pytest
from tests.agent.executor.fakes import Stage, read_config

from guardian_agent.executor.policy import Policy
from guardian_agent.executor.rules.settings import CHANGEABLE, refusal
from guardian_agent.host.operations import WriteSysctl
from guardian_agent.host.operations.settings import sysctl_path


@pytest.fixture
def policy(tmp_path):
    return Policy(read_config(Stage(tmp_path).file))


@pytest.mark.parametrize("value", ["0", "4096", "1024 65535", "32768\t60999"])
def test_a_limit_may_be_set_to_numbers(policy, value):
    assert refusal(WriteSysctl("net.ipv4.ip_local_port_range", value), policy) == ""


@pytest.mark.parametrize(
    "value", ["", " ", "-1", "1\n2", "1 2 3", "1,2", "|/bin/sh", "0x10", "1" * 11, "1\n", "\n1", "1\0", "\uff11"]
)
def test_nothing_but_numbers(policy, value):
    assert "is no number" in refusal(WriteSysctl("net.core.somaxconn", value), policy)


@pytest.mark.parametrize(
    "name",
    [
        "kernel.core_pattern",
        "kernel.modprobe",
        "kernel.randomize_va_space",
        "net.core.somaxconn ",
        "net/core/somaxconn",
        "net.core.somaxconn/../../../kernel/core_pattern",
        "net.core.SOMAXCONN",
        "",
    ],
)
def test_no_other_setting(policy, name):
    assert "is not among the kernel settings" in refusal(WriteSysctl(name, "1"), policy)


def test_every_setting_that_may_be_changed_has_a_path():
    assert all(sysctl_path(name).startswith("/proc/sys/") for name in CHANGEABLE)
