"""What takes a change back is about the very same thing, and does nothing else."""

from itertools import product

import pytest
from hypothesis import given
from tests.agent.host.test_operations import any_operation

from guardian_agent.executor.inverse import why_no_inverse
from guardian_agent.host import AddressEntry
from guardian_agent.host.operations import (
    AddAddress,
    DeleteAddress,
    DeleteNeighbour,
    KillProcess,
    ReplaceTables,
    SetLink,
    SetLinkMtu,
    SetNeighbour,
    WriteSysctl,
    WriteText,
)

ONE = AddressEntry(interface="eth0", address="10.0.0.2", prefix=24)
OTHER = AddressEntry(interface="eth0", address="10.0.0.3", prefix=24)
PIN = SetNeighbour("eth0", "10.0.0.1", "02:00:00:00:00:01", permanent=True)
DOWN, UP = SetLink("eth0", up=False), SetLink("eth0", up=True)
HOSTS = WriteText("/etc/hosts", b"6.6.6.6 example.org\n")


@pytest.mark.parametrize(
    ("operation", "undo"),
    [
        (DOWN, UP),
        (UP, UP),
        (SetLinkMtu("eth0", 9000), SetLinkMtu("eth0", 1500)),
        (AddAddress(ONE), DeleteAddress(ONE)),
        (DeleteAddress(ONE), AddAddress(ONE)),
        (PIN, DeleteNeighbour("eth0", "10.0.0.1")),
        (DeleteNeighbour("eth0", "10.0.0.1"), PIN),
        (ReplaceTables({"inet filter": "table inet filter {\n}"}), ReplaceTables({"inet filter": ""})),
    ],
)
def test_what_plans_have_is_an_inverse(operation, undo):
    assert why_no_inverse(operation, undo) == ""


@pytest.mark.parametrize(
    ("operation", "undo"),
    [
        (DOWN, HOSTS),
        (DOWN, KillProcess(1, 2, 80)),
        (DOWN, SetLink("eth1", up=True)),
        (DOWN, SetLinkMtu("eth0", 1500)),
        (AddAddress(ONE), DeleteAddress(OTHER)),
        (AddAddress(ONE), AddAddress(ONE)),
        (PIN, DeleteNeighbour("eth0", "10.0.0.9")),
        (ReplaceTables({"inet a": ""}), ReplaceTables({"inet b": ""})),
        (ReplaceTables({"inet a": ""}), ReplaceTables({"inet a": "", "inet b": ""})),
        (ReplaceTables({"inet a": ""}), DOWN),
    ],
)
def test_anything_else_is_none(operation, undo):
    assert why_no_inverse(operation, undo) == "that is something else than taking it back"


def test_what_cannot_cut_the_host_off_is_not_armed():
    setting = WriteSysctl("net.core.somaxconn", "1")
    assert "cannot cut this host off" in why_no_inverse(setting, setting)
    assert "cannot cut this host off" in why_no_inverse(HOSTS, DOWN)


@given(operation=any_operation, undo=any_operation)
def test_an_inverse_may_itself_cut_off_and_is_never_of_another_kind_of_thing(operation, undo):
    if why_no_inverse(operation, undo) == "":
        assert operation.may_cut_off
        assert undo.may_cut_off


def test_every_operation_that_may_cut_off_can_be_taken_back_by_something():
    from guardian_agent.host.operations import FirewallOperation, NetworkOperation, kinds_of

    kinds = [kind for family in (NetworkOperation, FirewallOperation) for kind in kinds_of(family)]
    assert all(kind.may_cut_off for kind in kinds)
    sample = {type(one): one for one in (DOWN, SetLinkMtu("eth0", 9), AddAddress(ONE), DeleteAddress(ONE), PIN)}
    assert any(why_no_inverse(a, b) == "" for a, b in product(sample.values(), repeat=2))
