from pathlib import Path
from typing import Any

import pytest

from guardian_agent.config import load
from guardian_agent.executor.policy import Policy
from guardian_agent.executor.rules import refusal
from guardian_agent.host import AddressEntry, RouteEntry, RuleEntry
from guardian_agent.host.operations import (
    AddAddress,
    AddRoute,
    AddRule,
    DeleteAddress,
    DeleteNeighbour,
    DeleteRoute,
    DeleteRule,
    SetLink,
    SetLinkMtu,
    SetNeighbour,
)
from guardian_agent.playbooks import PLAYBOOKS

MAC = "02:00:00:00:00:01"


@pytest.fixture
def policy(tmp_path: Path) -> Any:
    """What is allowed with `[playbooks.ID]` tables as given."""

    def made(playbooks: str = "", mode: str = "heal") -> Policy:
        file = tmp_path / "agent.toml"
        file.write_text(f'[agent]\nmode = "{mode}"\nhold_file = "{tmp_path}/hold"\n{playbooks}')
        fields = {playbook.playbook_id(): playbook for playbook in PLAYBOOKS}
        return Policy(load(file, probe_fields={}, playbook_fields=fields, issue_types=()))

    return made


def address(text: str, interface: str = "host0", **more: Any) -> AddressEntry:
    plain, _, prefix = text.partition("/")
    return AddressEntry(interface=interface, address=plain, prefix=int(prefix), **more)


def route(destination: str, **more: Any) -> RouteEntry:
    return RouteEntry(destination=destination, **{"interface": "host0", **more})


def rule(**more: Any) -> RuleEntry:
    return RuleEntry(**{"ipv6": False, "priority": 100, "action": "prohibit", "to": "198.19.0.0/16", **more})


def both(kind: str, entry: Any) -> list[Any]:
    """Adding it and deleting it: who may do one may undo it."""
    adds = {"address": (AddAddress, DeleteAddress), "route": (AddRoute, DeleteRoute), "rule": (AddRule, DeleteRule)}
    return [change(entry) for change in adds[kind]]


ALLOWED = [
    SetLink("host0", up=True),
    SetLink("host0", up=False, unless_carrier=True),
    SetLinkMtu("host0", 1500),
    SetNeighbour("host0", "198.18.0.1", MAC, permanent=True),
    DeleteNeighbour("host0", "fe80::1"),
    *both("address", address("198.18.0.2/16")),
    *both("address", address("198.18.0.2/8", label="host0:1")),
    *both("address", address("198.19.0.1/32", "lo")),
    *both("address", address("2001:db8::2/64")),
    *both("route", route("0.0.0.0/0", gateway="198.18.0.1")),
    *both("route", route("128.0.0.0/1", gateway="198.18.0.9", table=1200)),
    *both("route", route("198.19.0.0/16", kind="blackhole", interface="")),
    *both("route", route("198.19.0.1/32", gateway="198.18.0.1", mtu=1200)),
    *both("rule", rule()),
    *both("rule", rule(action="lookup", table=254, priority=32766, to="")),
]
REFUSED = [
    SetLink("lo", up=False),
    SetLink("a b", up=True),
    SetLink("../host0", up=True),
    SetLinkMtu("host0", 68),
    SetLinkMtu("host0", -1),
    SetNeighbour("host0", "198.18.0.1", "03:00:00:00:00:01", permanent=True),
    SetNeighbour("host0", "198.18.0.1", "nonsense", permanent=True),
    SetNeighbour("host0", "224.0.0.1", MAC, permanent=True),
    DeleteNeighbour("host0", "everything"),
    *both("address", address("127.0.0.1/8", "lo")),
    *both("address", address("::1/128", "lo")),
    *both("address", address("198.18.0.2/1")),
    *both("address", address("198.18.0.2/7")),
    *both("address", address("2001:db8::2/16")),
    *both("address", address("0.0.0.0/8")),
    *both("address", address("198.18.0.2/99")),
    *both("address", address("198.18.0.2/16", "")),
    *both("address", address("198.18.0.2/16", label="other:1")),
    *both("address", address("198.18.0.2/32", peer="127.0.0.1")),
    *both("route", route("198.18.0.2/32", table=255)),
    *both("route", route("198.18.0.0/16", table=0)),
    *both("route", route("127.0.0.0/8")),
    *both("route", route("127.0.0.0/8", kind="blackhole", interface="")),
    *both("route", route("198.18.0.0/16", interface="lo")),
    *both("route", route("198.18.0.0/16", interface="")),
    *both("route", route("198.18.0.0/16", kind="local")),
    *both("route", route("198.18.0.0/16", whole=False)),
    *both("route", route("198.18.0.1/16")),
    *both("route", route("anywhere/0")),
    *both("route", route("198.18.0.0/16", mtu=1)),
    *both("rule", rule(priority=0)),
    *both("rule", rule(priority=-1)),
    *both("rule", rule(priority=32767)),
    *both("rule", rule(action="lookup", table=255)),
    *both("rule", rule(action="goto")),
    *both("rule", rule(whole=False)),
    *both("rule", rule(to="nowhere/8")),
    *both("rule", rule(incoming="a/b")),
]


@pytest.mark.parametrize("operation", ALLOWED, ids=lambda one: one.describe())
def test_what_a_playbook_could_plan_is_carried_out(policy: Any, operation: Any) -> None:
    assert refusal(operation, policy()) == ""


@pytest.mark.parametrize("operation", REFUSED, ids=lambda one: one.describe())
def test_what_no_playbook_plans_is_not(policy: Any, operation: Any) -> None:
    assert refusal(operation, policy()) != ""


@pytest.mark.parametrize("operation", ALLOWED, ids=lambda one: one.describe())
def test_nothing_is_carried_out_where_the_operator_does_not_want_it(policy: Any, operation: Any) -> None:
    assert "the mode is observe" in refusal(operation, policy(mode="observe"))
    off = "".join(
        f"[playbooks.{one}]\nenabled = false\n" for one in ("bounce_link", "restore_route", "flush_neighbour")
    )
    assert "enabled is false" in refusal(operation, policy(off))


def test_only_interfaces_that_the_operator_names_are_changed(policy: Any) -> None:
    tables = "".join(
        f'[playbooks.{one}]\ninterfaces = ["wan0"]\n' for one in ("bounce_link", "restore_route", "flush_neighbour")
    )
    named = policy(tables)
    for operation in ALLOWED:
        interface = getattr(operation, "interface", None) or getattr(getattr(operation, "entry", None), "interface", "")
        assert bool(refusal(operation, named)) == bool(interface), operation.describe()


def test_one_of_the_two_playbooks_that_put_routes_back_is_enough(policy: Any) -> None:
    only = policy("[playbooks.restore_route]\nenabled = false\n")
    assert refusal(AddRoute(route("0.0.0.0/0", gateway="198.18.0.1")), only) == ""
