"""The agent is in an enemy's hands: whom may it have ended?"""

from typing import Any

import msgspec
import pytest
from tests.agent.executor.rules.policies import policy_with

from guardian_agent.errors import ProbeError
from guardian_agent.executor import rules
from guardian_agent.executor.policy import Policy
from guardian_agent.executor.rules import ports as rule
from guardian_agent.host.operations import DestroySockets, KillProcess, StartForeignUnit, StopForeignUnit
from guardian_agent.host.questions import PortHolder, PortHolders, PortUse
from guardian_agent.model import Component, Endpoint

WEB = Component(name="web", unit="web.service", listen=Endpoint("10.0.0.5", 80))
STRANGER = PortHolder(
    pid=4711, start_ticks=9, name="nc", uid=0, addresses=("0.0.0.0",), program="/usr/bin/nc", unit="other.service"
)


def allowing(*components: Component, enabled: bool = True) -> Policy:
    policy = policy_with(
        {"clear_port": {}}, enabled=enabled, units=frozenset({"web.service"}), protected=frozenset({"vip.service"})
    )
    policy.config = msgspec.structs.replace(policy.config, components=components or (WEB,))
    return policy


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[PortHolder]:
    """Who holds port 80; nobody holds another one."""
    holders: list[PortHolder] = [STRANGER]
    monkeypatch.setattr(rule, "use_of", lambda port: PortUse(holders=tuple(holders) if port == 80 else ()))
    return holders


def test_who_keeps_a_component_from_its_port_may_be_ended(held: list[PortHolder]) -> None:
    for operation in (StopForeignUnit("other.service"), KillProcess(4711, 9, 80), DestroySockets(80)):
        assert rules.refusal(operation, allowing()) == ""
    assert rules.refusal_to_tell(PortHolders(80), allowing()) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"pid": 1},
        {"program": ""},
        {"name": "sshd"},
        {"unit": "vip.service"},
        {"unit": "web.service"},
        {"unit": "systemd-resolved.service"},
        {"unit": "guardian-agent.service"},
        {"addresses": ("127.0.0.53",)},
    ],
)
def test_nobody_else(held: list[PortHolder], change: dict[str, Any]) -> None:
    held[:] = [msgspec.structs.replace(STRANGER, **change)]
    (one,) = held
    assert rules.refusal(KillProcess(one.pid, one.start_ticks, 80), allowing())
    assert rules.refusal(StopForeignUnit(one.unit), allowing())


def test_a_service_with_one_process_that_is_spared_is_spared(held: list[PortHolder]) -> None:
    held.append(msgspec.structs.replace(STRANGER, pid=4712, name="sshd"))
    assert "sshd" in rules.refusal(StopForeignUnit("other.service"), allowing())


@pytest.mark.parametrize("unit", ["user@1000.service", "session-1.scope", "unheld.service", ""])
def test_no_unit_that_is_not_a_service_of_its_own_with_the_port(held: list[PortHolder], unit: str) -> None:
    if unit != "unheld.service":
        held[:] = [msgspec.structs.replace(STRANGER, unit=unit)]
    assert "holds no component's port now" in rules.refusal(StopForeignUnit(unit), allowing())


@pytest.mark.parametrize("port", [81, 22, 0, -1])
def test_no_port_that_is_no_component_s(held: list[PortHolder], port: int) -> None:
    for operation in (KillProcess(4711, 9, port), DestroySockets(port)):
        assert "is no component's" in rules.refusal(operation, allowing())
    assert "is no component's" in rules.refusal_to_tell(PortHolders(port), allowing())


@pytest.mark.parametrize("grace_s", [-1.0, 301.0, float("inf"), float("nan")])
def test_it_does_not_wait_for_ever(held: list[PortHolder], grace_s: float) -> None:
    assert "at most" in rules.refusal(KillProcess(4711, 9, 80, grace_s), allowing())


def test_what_cannot_be_read_is_not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(port: int) -> PortUse:
        raise ProbeError("the kernel does not tell")

    monkeypatch.setattr(rule, "use_of", refuse)
    for operation in (KillProcess(4711, 9, 80), StopForeignUnit("other.service")):
        assert "does not tell" in rules.refusal(operation, allowing())


def test_nothing_without_the_playbook(held: list[PortHolder]) -> None:
    operations = (
        KillProcess(4711, 9, 80),
        StopForeignUnit("other.service"),
        StartForeignUnit("x.service"),
        DestroySockets(80),
    )
    assert all("enabled is false" in rules.refusal(one, allowing(enabled=False)) for one in operations)


def test_what_is_protected_or_no_service_is_not_started() -> None:
    """That any other is only started where it was stopped before is root's own to see: as_root/test_ports.py."""
    assert rules.refusal(StartForeignUnit("other.service"), allowing()) == ""
    for unit in ("vip.service", "../other.service", ".", "rescue.target", "a@.service"):
        assert rules.refusal(StartForeignUnit(unit), allowing())
