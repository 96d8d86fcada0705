"""Which probes and playbooks are the operator's own commands, and what is wrong with how they are declared?"""

import re
from collections.abc import Collection
from typing import Annotated, Any, TypeVar

import msgspec

from guardian_agent.components import Seconds, Words, check_program
from guardian_agent.model import Layer
from guardian_toml import Document, KeyPath, nearest, shown

PROGRAMS = ("execute", "rollback", "check")  # of a declared playbook

_PROBE_ID = re.compile(r"(l[1-7]|host)(_[a-z0-9]+)+")
_PLAYBOOK_ID = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
_ISSUE_TYPE = re.compile(r"[a-z]+(_[a-z0-9]+)*")

_Keys = TypeVar("_Keys", "ProbeKeys", "PlaybookKeys")


class DeclaredProbe(msgspec.Struct, frozen=True, kw_only=True):
    """A `[probes.ID]` table with a `command`: exit 0 good, 1 and 2 failing, 3 unknown. Its layer is in its id."""

    id: str
    command: tuple[str, ...]
    issue_type: str
    component: str | None = None  # None: it is about the host itself

    @property
    def layer(self) -> Layer:
        prefix = self.id.partition("_")[0]
        return Layer.HOST if prefix == "host" else Layer(int(prefix[1:]))


class DeclaredPlaybook(msgspec.Struct, frozen=True, kw_only=True):
    """A `[playbooks.ID]` table with an `execute`: a program that mends, and perhaps one that takes it back."""

    id: str
    heals: tuple[str, ...]
    execute: tuple[str, ...]
    rollback: tuple[str, ...] | None = None  # None: what it does cannot be undone
    check: tuple[str, ...] | None = None  # exit 0: it is a remedy here; changes nothing
    timeout_s: float = 30.0  # for each of these programs


class ProbeKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What a declared probe may say, beside what every probe may."""

    command: Words
    issue_type: str
    component: str | None = None


class PlaybookKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What a declared playbook may say, beside what every playbook may."""

    heals: Words
    execute: Words
    rollback: Words | None = None
    check: Words | None = None
    timeout_s: Annotated[Seconds, msgspec.Meta(le=3600)] = 30.0


def declared_probes(
    document: Document, known: Collection[str], component_names: Collection[str]
) -> tuple[DeclaredProbe, ...]:
    """The probes that are commands; what is wrong with them is noted in the document."""
    found = []
    for name, keys in _tables(document, "probes", "command", known, ProbeKeys).items():
        path: KeyPath = ("probes", name)
        if not _PROBE_ID.fullmatch(name):
            document.problem(path, 'must begin with its layer, as in "l7_queue_depth" or "host_battery"')
        if not _ISSUE_TYPE.fullmatch(keys.issue_type):
            document.problem((*path, "issue_type"), f'must look like "queue_stuck", is {shown(keys.issue_type)}')
        if keys.component is not None and keys.component not in component_names:
            text = f"no component {shown(keys.component)}{nearest(keys.component, component_names)}"
            document.problem((*path, "component"), text)
        check_program(document, (*path, "command"), keys.command)
        found.append(DeclaredProbe(id=name, **msgspec.structs.asdict(keys)))
    return tuple(found)


def declared_playbooks(
    document: Document, known: Collection[str], issue_types: Collection[str]
) -> tuple[DeclaredPlaybook, ...]:
    """The playbooks that are commands; what is wrong with them is noted in the document."""
    found = []
    for name, keys in _tables(document, "playbooks", "execute", known, PlaybookKeys).items():
        path: KeyPath = ("playbooks", name)
        if not _PLAYBOOK_ID.fullmatch(name):
            document.problem(path, 'must be two words or more, as in "drain_queue"')
        for index, issue_type in enumerate(keys.heals):
            if issue_type not in issue_types:
                text = f"no probe reports {shown(issue_type)}{nearest(issue_type, issue_types)}"
                document.problem((*path, "heals", index), text)
        for key in PROGRAMS:
            check_program(document, (*path, key), getattr(keys, key))
        found.append(DeclaredPlaybook(id=name, **msgspec.structs.asdict(keys)))
    return tuple(found)


def _tables(document: Document, section: str, mark: str, known: Collection[str], kind: type[_Keys]) -> dict[str, _Keys]:
    """The tables of a section that nobody else knows and that have the key `mark`."""
    tables = document.tables.get(section)
    found = {}
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if name in known or not isinstance(table, dict) or mark not in table:
            continue
        path: KeyPath = (section, name)
        missing = [field.name for field in msgspec.structs.fields(kind) if field.required and field.name not in table]
        for key in missing:
            document.problem(path, f'key "{key}" is missing')
        read: dict[str, Any] = {
            field.name: document.convert(field.type, (*path, field.name))
            for field in msgspec.structs.fields(kind)
            if field.name in table
        }
        if not missing and None not in read.values():
            found[name] = kind(**read)
    return found
