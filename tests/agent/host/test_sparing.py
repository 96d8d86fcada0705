import msgspec
import pytest

from guardian_agent.host.questions import PortHolder
from guardian_agent.host.sparing import is_own_unit, why_spared

HOLDER = PortHolder(
    pid=4711,
    start_ticks=1,
    name="nc",
    uid=0,
    addresses=("0.0.0.0",),
    program="/usr/bin/nc",
    unit="other.service",
)


def test_a_stranger_is_not_spared() -> None:
    assert why_spared(HOLDER, {"web.service"}) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"pid": 1},
        {"pid": 0},
        {"program": ""},
        {"unit": "init.scope"},
        {"unit": "systemd-journald.service"},
        {"unit": "dbus.service"},
        {"unit": "guardian-executor.service"},
        {"unit": "web.service"},
        {"name": "sshd"},
        {"name": "innocent", "program": "/usr/sbin/sshd"},
        {"program": "/usr/lib/systemd/systemd-logind"},
        {"program": "/usr/lib/openssh/sshd-session"},
    ],
)
def test_what_keeps_a_host_alive_and_within_reach_is(change: dict[str, object]) -> None:
    assert why_spared(msgspec.structs.replace(HOLDER, **change), {"web.service"})


@pytest.mark.parametrize(
    ("unit", "own"), [("other.service", True), ("user@1000.service", False), ("session-1.scope", False), ("", False)]
)
def test_only_a_service_of_the_system_is_stopped_as_a_whole(unit: str, own: bool) -> None:
    assert is_own_unit(msgspec.structs.replace(HOLDER, unit=unit)) is own
