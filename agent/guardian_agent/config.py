"""The agent's configuration: `agent.toml` and the files of `conf.d` beside it, checked as a whole."""

import graphlib
import ipaddress
import re
import socket
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar
from urllib.parse import urlsplit

import msgspec

from guardian_agent.errors import ConfigError
from guardian_agent.model import Component, Endpoint, Health, Mode, Schedule, Tier
from guardian_toml import Document, KeyPath, TomlProblems, nearest, shown, with_conf_d

DEFAULT_FILE = Path("/etc/guardian/agent.toml")
OWN_UNITS = ("guardian-agent.service", "guardian-aggregator.service", "init.scope")  # never acted on
NOT_RESTARTED = ("slice", "scope", "target", "device")  # no component's unit

_AGENT_ID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_COMPONENT_NAME = re.compile(r"[A-Za-z0-9@._-]{1,64}")
_UNIT = re.compile(r"(?!.*@\.)[A-Za-z0-9:_.\\@-]+\.(service|socket|mount|automount|swap|target|path|timer|slice|scope)")
_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_ENDPOINT = re.compile(r"tcp:(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[^:\[\]]+)):(?P<port>[0-9]{1,9})")

_Settings = TypeVar("_Settings", "ProbeSettings", "PlaybookSettings")
_Seconds = Annotated[float, msgspec.Meta(gt=0)]
_Grace = Annotated[float, msgspec.Meta(ge=0)]
_Interval = Annotated[float, msgspec.Meta(ge=0.1)]
_Confirm = Annotated[float, msgspec.Meta(ge=0.001)]
_Count = Annotated[int, msgspec.Meta(ge=1)]
_Words = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
_Status = Annotated[int, msgspec.Meta(ge=100, le=599)]


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
    interval_s: _Interval | None = None
    timeout_s: _Seconds | None = None
    fall: _Count | None = None
    rise: _Count | None = None
    confirm_interval_s: _Confirm | None = None
    own: dict[str, Any] = {}

    def over(self, default: Schedule) -> Schedule:
        """`default` with what is set here."""
        mine = {name: getattr(self, name) for name in Schedule.__struct_fields__}
        return msgspec.structs.replace(default, **{name: value for name, value in mine.items() if value is not None})


class PlaybookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A `[playbooks.ID]` table. None: the playbook's own default holds; `own` has its own keys that are set."""

    enabled: bool | None = None
    tier: Tier | None = None
    cooldown_s: _Grace | None = None
    attempts_per_day: _Count | None = None
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
    page_command: tuple[str, ...] | None
    aggregator: AggregatorAddress | None  # None: the agent works alone
    components: tuple[Component, ...]
    probes: dict[str, ProbeSettings]
    playbooks: dict[str, PlaybookSettings]
    ladders: dict[str, tuple[str, ...]]
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
    page_command: _Words | None = None
    hold_file: str = "/etc/guardian/hold"
    socket: str | None = None


class _Health(msgspec.Struct, frozen=True, kw_only=True):
    http: str
    expect_status: Annotated[tuple[_Status, ...], msgspec.Meta(min_length=1)] = (200,)
    timeout_s: _Seconds | None = None
    interval_s: _Interval | None = None
    fall: _Count | None = None
    rise: _Count | None = None
    confirm_interval_s: _Confirm | None = None


class _Component(msgspec.Struct, frozen=True, kw_only=True):
    later: ClassVar = frozenset({"heartbeat", "releases", "certificate", "artifact", "secret"})

    name: str
    unit: str | None = None
    command: _Words | None = None
    listen: str | None = None
    health: _Health | None = None
    depends_on: tuple[str, ...] = ()
    drain: _Words | None = None
    stop_grace_s: _Grace = 10.0
    start_grace_s: _Seconds = 20.0


def load(
    path: Path | None,
    *,
    probe_fields: Mapping[str, type[msgspec.Struct]],
    playbook_fields: Mapping[str, type[msgspec.Struct]],
    issue_types: Collection[str],
    allow_commands: bool = True,
) -> AgentConfig:
    """The configuration at `path` (None: `/etc/guardian/agent.toml`) and of `conf.d/*.toml` beside it.

    Args:
        path: the main file.
        probe_fields: every probe id with a struct of the keys that only this probe has.
        playbook_fields: the same for every playbook.
        issue_types: all that a ladder may be for.
        allow_commands: whether a component may have a `command`; an installed service refuses them.

    Raises:
        ConfigError: with every problem, a line each.
    """
    try:
        document = Document(with_conf_d(path or DEFAULT_FILE))
        document.check_keys(("agent", "aggregator", "component", "probes", "playbooks", "ladders"))
        config = AgentConfig(
            **_general(document),
            aggregator=_aggregator(document),
            components=_components(document, allow_commands),
            probes=_settings(document, "probe", probe_fields, ProbeSettings),
            playbooks=_settings(document, "playbook", playbook_fields, PlaybookSettings),
            ladders=_ladders(document, playbook_fields, issue_types),
        )
        document.finish()
    except TomlProblems as error:
        raise ConfigError(error.problems) from error
    return msgspec.structs.replace(config, notices=tuple(_notices(document, config)))


def parse_endpoint(text: str) -> Endpoint:
    """`tcp:HOST:PORT` as an endpoint; an IPv6 address stands in brackets. Raises ValueError saying what is wrong."""
    match = _ENDPOINT.fullmatch(text)
    if match is None:
        raise ValueError(f'must look like "tcp:HOST:PORT", is {shown(text)}')
    host, port = match["ipv6"] or match["host"], int(match["port"])
    if not 1 <= port <= 65535:
        raise ValueError(f"the port must be between 1 and 65535, is {port}")
    if not (_is_ipv6(host) if match["ipv6"] else _HOST_NAME.fullmatch(host)):
        raise ValueError(f"{shown(host)} is no host name and no address")
    return Endpoint(host, port)


def _is_ipv6(text: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Does `host` name this machine by itself, whatever a resolver says?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _general(document: Document) -> dict[str, Any]:
    raw = document.convert(_Agent, ("agent",)) or _Agent()
    agent_id = socket.gethostname() if raw.id is None else raw.id
    if not _AGENT_ID.fullmatch(agent_id):
        document.problem(("agent", "id"), f"must be letters, digits, dots and dashes, is {shown(agent_id)}")
    for key in ("state_dir", "hold_file", "socket"):
        _check_absolute(document, ("agent", key), getattr(raw, key))
    for index, unit in enumerate(raw.protected):
        _check_unit(document, ("agent", "protected", index), unit)
    state_dir = Path(raw.state_dir)
    return {
        "agent_id": agent_id,
        "state_dir": state_dir,
        "socket": state_dir / "agent.sock" if raw.socket is None else Path(raw.socket),
        "hold_file": Path(raw.hold_file),
        "mode": raw.mode,
        "labels": raw.labels,
        "protected": (*OWN_UNITS, *raw.protected),
        "actions_per_hour": raw.actions_per_hour,
        "page_command": raw.page_command,
    }


def _check_absolute(document: Document, path: KeyPath, value: str | None) -> None:
    if value is not None and not value.startswith("/"):
        document.problem(path, f"must be an absolute path, is {shown(value)}")


def _check_unit(document: Document, path: KeyPath, unit: str) -> None:
    if len(unit) > 255 or not _UNIT.fullmatch(unit):
        document.problem(path, f'must name a unit, such as "nginx.service", is {shown(unit)}')


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
    files = {key: getattr(address, key) for key in ("certificate_file", "key_file", "ca_file")}
    if not address.insecure:
        for key, file in files.items():
            if file is None:
                document.problem(("aggregator",), f'key "{key}" is missing')
            _check_absolute(document, ("aggregator", key), file)
    elif host and not is_loopback(host):
        text = f"is accepted for loopback addresses only, and the address is {shown(address.address)}"
        document.problem(("aggregator", "insecure"), text)
    elif given := [key for key, file in files.items() if file is not None]:
        document.problem(("aggregator", "insecure"), f"excludes {given[0]}: remove one of them")
    return address


def _components(document: Document, allow_commands: bool) -> tuple[Component, ...]:
    tables = document.tables.get("component", [])
    if not isinstance(tables, list):
        document.problem(("component",), "is written [[component]], in two brackets")
        return ()
    names = [table.get("name") for table in tables if isinstance(table, dict)]
    components: dict[int, Component] = {}
    for index in range(len(tables)):
        path: KeyPath = ("component", index)
        raw = document.convert(_Component, path)
        if raw is None:
            continue
        if not _COMPONENT_NAME.fullmatch(raw.name):
            document.problem((*path, "name"), f'must be letters, digits and any of "-_.@", is {shown(raw.name)}')
        elif raw.name in names[:index]:
            document.problem((*path, "name"), "another component has this name already")
        _check_run(document, path, raw, allow_commands)
        health = _health(document, (*path, "health"), raw.health)
        listen = _endpoint(document, (*path, "listen"), raw.listen)
        values = msgspec.structs.asdict(raw) | {"health": health, "listen": listen}
        components[index] = Component(**values)
    _check_dependencies(document, components, [name for name in names if isinstance(name, str)])
    return tuple(components.values())


def _check_run(document: Document, path: KeyPath, raw: _Component, allow_commands: bool) -> None:
    """How the component runs: by a unit or by a command, and how it is drained."""
    if raw.unit is not None:
        _check_unit(document, (*path, "unit"), raw.unit)
        if (kind := raw.unit.rpartition(".")[2]) in NOT_RESTARTED:
            document.problem((*path, "unit"), f"is a {kind}, which a restart does not mend; write what runs in it")
    if raw.command is not None and raw.unit is not None:
        document.problem((*path, "command"), "there is a unit already; a component has one or the other")
    elif raw.command is not None and not allow_commands:
        document.problem((*path, "command"), "an installed service runs no commands; write a unit")
    for key, words in (("command", raw.command), ("drain", raw.drain)):
        if words is not None and not words[0]:
            document.problem((*path, key, 0), "must name a program")


def _health(document: Document, path: KeyPath, raw: _Health | None) -> Health | None:
    if raw is None:
        return None
    try:
        url = urlsplit(raw.http)
        good = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and url.username is None
    except ValueError:  # a port that is none, or brackets that do not close
        good = False
    if not good or not raw.http.isascii() or not raw.http.isprintable() or " " in raw.http:
        document.problem((*path, "http"), f'must be a URL such as "http://127.0.0.1/", is {shown(raw.http)}')
    return Health(**msgspec.structs.asdict(raw))


def _endpoint(document: Document, path: KeyPath, text: str | None) -> Endpoint | None:
    try:
        return None if text is None else parse_endpoint(text)
    except ValueError as error:
        document.problem(path, str(error))
        return None


def _check_dependencies(document: Document, components: dict[int, Component], names: list[str]) -> None:
    for index, component in components.items():
        for number, needed in enumerate(component.depends_on):
            path: KeyPath = ("component", index, "depends_on", number)
            if needed.startswith("tcp:"):
                _endpoint(document, path, needed)
            elif needed not in names:
                document.problem(path, f"no component {shown(needed)}{nearest(needed, names)}")
    try:
        graph = {component.name: component.depends_on for component in components.values()}
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle = error.args[1][::-1]
        index = next(index for index, component in components.items() if component.name == circle[0])
        document.problem(("component", index, "depends_on"), f"goes round in a circle: {' → '.join(circle)}")


def _settings(
    document: Document, what: str, own_fields: Mapping[str, type[msgspec.Struct]], into: type[_Settings]
) -> dict[str, _Settings]:
    """The tables `[probes.ID]` or `[playbooks.ID]`: the keys that all have, and those that only this one has."""
    section = f"{what}s"
    tables = document.convert(dict[str, dict[str, Any]], (section,)) or {}
    common: dict[str, Any] = {field.name: field.type for field in msgspec.structs.fields(into) if field.name != "own"}
    settings = {}
    for name, table in tables.items():
        path: KeyPath = (section, name)
        if name not in own_fields:
            document.problem((section,), f"no {what} {shown(name)}{_choices(name, own_fields)}", at=path)
            continue
        own: dict[str, Any] = {field.encode_name: field.type for field in msgspec.structs.fields(own_fields[name])}
        document.check_keys([*common, *own], path)
        read: dict[str, Any] = {
            key: document.convert(kind, (*path, key)) for key, kind in (common | own).items() if key in table
        }
        mine = {key: value for key, value in read.items() if key in own}
        settings[name] = into(**{key: value for key, value in read.items() if key in common}, own=mine)
    return settings


def _ladders(
    document: Document, playbooks: Collection[str], issue_types: Collection[str]
) -> dict[str, tuple[str, ...]]:
    ladders = document.convert(dict[str, tuple[str, ...]], ("ladders",)) or {}
    for issue_type, rungs in ladders.items():
        path: KeyPath = ("ladders", issue_type)
        if issue_type not in issue_types:
            text = f"no probe reports {shown(issue_type)}{_choices(issue_type, issue_types)}"
            document.problem(("ladders",), text, at=path)
        for index, playbook in enumerate(rungs):
            if playbook not in playbooks:
                document.problem((*path, index), f"no playbook {shown(playbook)}{_choices(playbook, playbooks)}")
    return ladders


def _choices(word: str, known: Collection[str]) -> str:
    return nearest(word, known) or f"; there are: {', '.join(sorted(known)) or 'none'}"


def _notices(document: Document, config: AgentConfig) -> Iterator[str]:
    for index, component in enumerate(config.components):
        path: KeyPath = ("component", index)
        if component.unit in config.protected:
            yield document.said((*path, "unit"), f"{component.unit} is protected: it is watched and never acted on")
        if (component.unit, component.command, component.listen, component.health) == (None,) * 4:
            yield document.said(path, "has no unit, command, listen or health: nothing of it is watched")
