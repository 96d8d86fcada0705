"""Does one operation take another back, and nothing else?"""

from typing import Any

from guardian_agent.host.operations import (
    AddAddress,
    AddRoute,
    AddRule,
    DeleteAddress,
    DeleteNeighbour,
    DeleteRoute,
    DeleteRule,
    ReplaceTables,
    RootOperation,
    SetLink,
    SetLinkMtu,
    SetNeighbour,
)

_OPPOSITE = {
    AddAddress: DeleteAddress,
    DeleteAddress: AddAddress,
    AddRoute: DeleteRoute,
    DeleteRoute: AddRoute,
    AddRule: DeleteRule,
    DeleteRule: AddRule,
}
_SETS = (SetLink, SetLinkMtu, ReplaceTables)  # the earlier value is put back by the same kind
_NEIGHBOUR = (SetNeighbour, DeleteNeighbour)


def why_no_inverse(operation: RootOperation, undo: RootOperation) -> str:
    """Why `undo` may not be armed to take `operation` back; empty when it may.

    What is armed is done later than it was judged. So it must be what a plan would have, about the very thing that was
    changed, and of a kind whose worst is known: network and firewall, nothing that ends a process or writes a file.
    """
    if not operation.may_cut_off:
        return "it cannot cut this host off, and is not taken back by itself"
    if not _is_inverse(operation, undo):
        return "that is something else than taking it back"
    return ""


def _is_inverse(operation: RootOperation, undo: RootOperation) -> bool:
    if type(operation) in _OPPOSITE:
        return type(undo) is _OPPOSITE[type(operation)] and _thing(undo) == _thing(operation)
    if isinstance(operation, _SETS):
        return type(undo) is type(operation) and _thing(undo) == _thing(operation)
    return isinstance(operation, _NEIGHBOUR) and isinstance(undo, _NEIGHBOUR) and _thing(undo) == _thing(operation)


def _thing(operation: Any) -> object:
    """What an operation is about."""
    match operation:
        case SetLink(interface) | SetLinkMtu(interface):
            return interface
        case SetNeighbour(interface, address) | DeleteNeighbour(interface, address):
            return interface, address
        case ReplaceTables(tables):
            return frozenset(tables)
        case _:
            return operation.entry
