"""The agent's configuration: `agent.toml` and the files of `conf.d` beside it, checked as a whole."""

import ipaddress
import re
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

import msgspec

from guardian_agent.components import (
    Confirm,
    Count,
    Grace,
    Interval,
    Seconds,
    Words,
    check_absolute,
    check_program,
    check_unit,
    components,
    parse_endpoint,
)
from guardian_agent.declared import (
    PROGRAMS,
    DeclaredPlaybook,
    DeclaredProbe,
    PlaybookKeys,
    ProbeKeys,
    declared_playbooks,
    declared_probes,
)
from guardian_agent.errors import ConfigError
from guardian_agent.model import Component, Mode, Schedule, Tier
from guardian_agent.notices import Named, aggregators_files, components_programs, of_components, of_files, programs
from guardian_agent.rungs import Heals, Ladders, choices, ladders, never_tried
from guardian_agent.rungs import notices as of_ladders
from guardian_toml import Document, KeyPath, TomlProblems, shown, with_conf_d

__all__ = [
    "ALWAYS_PROTECTED",
    "DEFAULT_FILE",
    "EXECUTOR_SOCKET",
    "AgentConfig",
    "AggregatorAddress",
    "PlaybookSettings",
    "ProbeSettings",
    "is_loopback",
    "load",
    "parse_endpoint",
]

DEFAULT_FILE = Path("/etc/guardian/agent.toml")
EXECUTOR_SOCKET = Path("/run/guardian/executor.sock")
ALWAYS_PROTECTED = (  # never acted on
    "guardian-agent.service",
    "guardian-aggregator.service",
    "guardian-executor.service",
    "guardian-executor.socket",
    "init.scope",
    "ssh.service",  # by which whoever comes to help comes in
    "ssh.socket",
    "sshd.service",
)

AGGREGATORS_FILES = ("certificate_file", "key_file", "ca_file")

_AGENT_ID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?")  # as it is asked for: label.KEY=VALUE

_Settings = TypeVar("_Settings", "ProbeSettings", "PlaybookSettings")


class AggregatorAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where records go: `address` is HOST:PORT; the three files are all there, or the connection is `insecure`."""

    address: str
    certificate_file: str | None = None
    key_file: str | None = None
    ca_file: str | None = None
    insecure: bool = False


class ProbeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A `[probes.ID]` table. None: the probe's own default holds; `own` has only the probe's own keys that are set."""

    enabled: bool | None = None
    interval_s: Interval | None = None
    timeout_s: Seconds | None = None
    fall: Count | None = None
    rise: Count | None = None
    confirm_interval_s: Confirm | None = None
    own: dict[str, Any] = {}

    def over(self, default: Schedule) -> Schedule:
        """`default` with what is set here."""
        mine = {name: getattr(self, name) for name in Schedule.__struct_fields__}
        return msgspec.structs.replace(default, **{name: value for name, value in mine.items() if value is not None})


class PlaybookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A `[playbooks.ID]` table. None: the playbook's own default holds; `own` has its own keys that are set."""

    enabled: bool | None = None
    tier: Tier | None = None
    cooldown_s: Grace | None = None
    attempts_per_day: Count | None = None
    own: dict[str, Any] = {}


class AgentConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All that the agent was told. Probes, playbooks and issue types that no file names are not in the mappings."""

    agent_id: str
    state_dir: Path
    socket: Path
    hold_file: Path
    mode: Mode
    labels: dict[str, str]
    protected: tuple[str, ...]  # units never acted on, Guardian's own among them
    actions_per_hour: int
    host_probes: bool  # whether the host itself is asked: its network, disks, memory, clock
    page_command: tuple[str, ...] | None
    aggregator: AggregatorAddress | None  # None: the agent works alone
    components: tuple[Component, ...]
    probes: dict[str, ProbeSettings]
    playbooks: dict[str, PlaybookSettings]
    ladders: dict[str, tuple[str, ...]]
    declared_probes: tuple[DeclaredProbe, ...] = ()
    declared_playbooks: tuple[DeclaredPlaybook, ...] = ()
    executor_socket: Path = EXECUTOR_SOCKET  # where root does what needs root, for an agent that is not root
    notices: tuple[str, ...] = ()  # lines to show at the start: allowed, and perhaps not meant

    @property
    def summary(self) -> str:
        """Mode and size in a few words."""
        count = len(self.components)
        return f"{count} component{'s' * (count != 1)}, mode {self.mode}"


class _Agent(msgspec.Struct, frozen=True, kw_only=True):
    id: str | None = None
    state_dir: str = "/var/lib/guardian-agent"
    mode: Mode = Mode.OBSERVE
    labels: dict[str, str] = {}
    protected: tuple[str, ...] = ()
    actions_per_hour: Annotated[int, msgspec.Meta(ge=0)] = 6
    page_command: Words | None = None
    hold_file: str = "/etc/guardian/hold"
    host_probes: bool = True
    socket: str | None = None
    executor_socket: str = str(EXECUTOR_SOCKET)


def load(
    path: Path | None,
    *,
    probe_fields: Mapping[str, type[msgspec.Struct]],
    playbook_fields: Mapping[str, type[msgspec.Struct]],
    issue_types: Collection[str],
    heals: Heals = MappingProxyType({}),
    default_ladders: Ladders = MappingProxyType({}),
    asked_about: Callable[[Component], bool] = lambda _: False,
    allow_commands: bool = True,
    look_at_files: bool = True,
) -> AgentConfig:
    """The configuration at `path` (None: `/etc/guardian/agent.toml`) and of `conf.d/*.toml` beside it.

    Args:
        path: the main file.
        probe_fields: every probe id with a struct of the keys that only this probe has.
        playbook_fields: the same for every playbook.
        issue_types: all that a ladder may be for.
        heals: the issue types that each playbook is a remedy for; none: it only observes.
        default_ladders: what is tried for an issue type that has no ladder here.
        asked_about: whether a probe looks at a component that declares nothing by itself.
        allow_commands: whether a component may have a `command`; an installed service refuses them.
        look_at_files: whether the notices say which of the files that are named cannot be used now.

    Raises:
        ConfigError: with every problem, a line each.
    """
    try:
        document = Document(with_conf_d(path or DEFAULT_FILE))
        document.check_keys(("agent", "aggregator", "component", "probes", "playbooks", "ladders"))
        found = components(document, allow_commands)
        own_probes = declared_probes(document, probe_fields, [component.name for component in found])
        issue_types = {*issue_types, *(probe.issue_type for probe in own_probes)}
        own_playbooks = declared_playbooks(document, playbook_fields, issue_types)
        heals = {**heals, **{book.id: book.heals for book in own_playbooks}}
        config = AgentConfig(
            **_general(document),
            aggregator=_aggregator(document),
            components=found,
            probes=_settings(document, "probe", probe_fields, ProbeSettings, ProbeKeys, "command"),
            playbooks=_settings(document, "playbook", playbook_fields, PlaybookSettings, PlaybookKeys, "execute"),
            ladders=ladders(document, {*playbook_fields, *_ids(document)}, issue_types, heals),
            declared_probes=own_probes,
            declared_playbooks=own_playbooks,
        )
        _check_tiers(document, config.playbooks, heals)
        document.finish()
    except TomlProblems as error:
        raise ConfigError(error.problems) from error
    notices = [*_of_what_is_said(document, config, heals, default_ladders, asked_about)]
    if look_at_files:
        notices += of_files(document, _named(config))
    return msgspec.structs.replace(config, notices=tuple(notices))


def is_loopback(host: str) -> bool:
    """Does `host` name this machine by itself, whatever a resolver says?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _of_what_is_said(
    document: Document,
    config: AgentConfig,
    heals: Heals,
    default_ladders: Ladders,
    asked_about: Callable[[Component], bool],
) -> Iterator[str]:
    """The notices that the files alone are reason for, whatever else is on this host."""
    looked_at = {probe.component for probe in config.declared_probes if _is_on(probe.id, config.probes)}

    def watched(component: Component) -> bool:
        return component.name in looked_at or asked_about(component)

    yield from of_components(document, config.components, config.protected, watched)
    declared = [book.id for book in config.declared_playbooks]
    yield from of_ladders(document, config.ladders, heals, declared=declared, default=default_ladders)
    tried = {name: remedies for name, remedies in heals.items() if _is_on(name, config.playbooks)}
    yield from never_tried(document, config.ladders, tried, declared=declared, default=default_ladders)


def _is_on(name: str, settings: Mapping[str, ProbeSettings] | Mapping[str, PlaybookSettings]) -> bool:
    return name not in settings or settings[name].enabled is not False


def _ids(document: Document) -> Iterable[str]:
    """Every playbook that has a table, also where something is wrong with that: it is said there."""
    tables = document.tables.get("playbooks")
    return tables if isinstance(tables, dict) else ()


def _named(config: AgentConfig) -> Iterator[Named]:
    """The files that somebody else is to bring."""
    if config.aggregator is not None:
        yield from aggregators_files({key: getattr(config.aggregator, key) for key in AGGREGATORS_FILES})
    yield from programs({("agent", "page_command"): config.page_command})
    yield from components_programs(config.components)
    for probe in config.declared_probes:
        yield from programs({("probes", probe.id, "command"): probe.command})
    for book in config.declared_playbooks:
        yield from programs({("playbooks", book.id, key): getattr(book, key) for key in PROGRAMS})


def _general(document: Document) -> dict[str, Any]:
    raw = document.convert(_Agent, ("agent",)) or _Agent()
    agent_id = socket.gethostname() if raw.id is None else raw.id
    if not _AGENT_ID.fullmatch(agent_id):
        document.problem(("agent", "id"), f"must be letters, digits, dots and dashes, is {shown(agent_id)}")
    for key in ("state_dir", "hold_file", "socket", "executor_socket"):
        check_absolute(document, ("agent", key), getattr(raw, key))
    for key in raw.labels:
        if not _LABEL.fullmatch(key):
            text = f'a key must be letters, digits and any of "._/-" between them, 63 at most, is {shown(key)}'
            document.problem(("agent", "labels"), text, at=("agent", "labels", key))
    for index, unit in enumerate(raw.protected):
        check_unit(document, ("agent", "protected", index), unit)
    check_program(document, ("agent", "page_command"), raw.page_command)
    state_dir = Path(raw.state_dir)
    return {
        "agent_id": agent_id,
        "state_dir": state_dir,
        "socket": state_dir / "agent.sock" if raw.socket is None else Path(raw.socket),
        "hold_file": Path(raw.hold_file),
        "executor_socket": Path(raw.executor_socket),
        "mode": raw.mode,
        "labels": raw.labels,
        "protected": (*ALWAYS_PROTECTED, *raw.protected),
        "actions_per_hour": raw.actions_per_hour,
        "host_probes": raw.host_probes,
        "page_command": raw.page_command,
    }


def _aggregator(document: Document) -> AggregatorAddress | None:
    if "aggregator" not in document.tables:
        return None
    address = document.convert(AggregatorAddress, ("aggregator",))
    if address is None:
        return None
    host = ""
    try:
        host = parse_endpoint(f"tcp:{address.address}").host
    except ValueError as error:
        text = str(error).replace("tcp:", "")
        document.problem(("aggregator", "address"), text)
    files = {key: getattr(address, key) for key in AGGREGATORS_FILES}
    if not address.insecure:
        for key, file in files.items():
            if file is None:
                document.problem(("aggregator",), f'key "{key}" is missing')
            check_absolute(document, ("aggregator", key), file)
    elif host and not is_loopback(host):
        text = f"is accepted for loopback addresses only, and the address is {shown(address.address)}"
        document.problem(("aggregator", "insecure"), text)
    elif given := [key for key, file in files.items() if file is not None]:
        document.problem(("aggregator", "insecure"), f"excludes {given[0]}: remove one of them")
    return address


def _settings(
    document: Document,
    what: str,
    own_fields: Mapping[str, type[msgspec.Struct]],
    into: type[_Settings],
    declared: type[msgspec.Struct],
    mark: str,
) -> dict[str, _Settings]:
    """The tables `[probes.ID]` or `[playbooks.ID]`: the keys that all have, and those that only this one has.

    One that nobody knows and that has the key `mark` is the operator's own, and has the keys of `declared`, which are
    read elsewhere. One with such a key and without `mark` was meant to be.
    """
    section = f"{what}s"
    tables = document.convert(dict[str, dict[str, Any]], (section,)) or {}
    common: dict[str, Any] = {field.name: field.type for field in msgspec.structs.fields(into) if field.name != "own"}
    settings = {}
    for name, table in tables.items():
        path: KeyPath = (section, name)
        if name not in own_fields and mark in table:
            document.check_keys([*common, *declared.__struct_fields__], path)
            own: dict[str, Any] = {}
        elif name in own_fields:
            own = {field.encode_name: field.type for field in msgspec.structs.fields(own_fields[name])}
            document.check_keys([*common, *own], path)
        elif any(key in table for key in declared.__struct_fields__ if key not in common):
            document.problem(path, f'key "{mark}" is missing: what a {what} of your own runs')
            continue
        else:
            document.problem((section,), f"no {what} {shown(name)}{choices(name, own_fields)}", at=path)
            continue
        read: dict[str, Any] = {
            key: document.convert(kind, (*path, key)) for key, kind in (common | own).items() if key in table
        }
        mine = {key: value for key, value in read.items() if key in own}
        settings[name] = into(**{key: value for key, value in read.items() if key in common}, own=mine)
    return settings


def _check_tiers(document: Document, settings: Mapping[str, PlaybookSettings], heals: Heals) -> None:
    """One that acts has a tier from 1 on, and one that observes has tier 0."""
    for name, playbook in settings.items():
        path: KeyPath = ("playbooks", name, "tier")
        if playbook.tier is None or name not in heals or bool(heals[name]) == (playbook.tier > Tier.OBSERVES):
            continue
        if heals[name]:
            text = "must be 1, 2 or 3 for a playbook that acts, is 0; enabled = false keeps it from acting"
            document.problem(path, text)
        else:
            document.problem(path, f"must be 0 for a playbook that only observes, is {int(playbook.tier)}")
