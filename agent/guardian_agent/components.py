"""What may be said of a component in the configuration, and what is wrong with it?"""

import graphlib
import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from guardian_agent.model import Artifact, Certificate, Component, Endpoint, Health, Heartbeat, Releases, Secret
from guardian_toml import Document, KeyPath, nearest, shown

NOT_RESTARTED = ("slice", "scope", "target", "device")  # no component's unit
WAYS_OF_HEALTH = ("http", "grpc", "command")

_COMPONENT_NAME = re.compile(r"[A-Za-z0-9@._-]{1,64}")
_UNIT = re.compile(r"(?!.*@\.)[A-Za-z0-9:_.\\@-]+\.(service|socket|mount|automount|swap|target|path|timer|slice|scope)")
_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_ENDPOINT = re.compile(r"tcp:(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[^:\[\]]+)):(?P<port>[0-9]{1,9})")
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")

Seconds = Annotated[float, msgspec.Meta(gt=0)]
Grace = Annotated[float, msgspec.Meta(ge=0)]
Interval = Annotated[float, msgspec.Meta(ge=0.1)]
Confirm = Annotated[float, msgspec.Meta(ge=0.001)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Words = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
_Status = Annotated[int, msgspec.Meta(ge=100, le=599)]


class _Health(msgspec.Struct, frozen=True, kw_only=True):
    http: str | None = None
    expect_status: Annotated[tuple[_Status, ...], msgspec.Meta(min_length=1)] | None = None
    grpc: str | None = None
    grpc_service: str | None = None
    command: Words | None = None
    timeout_s: Seconds | None = None
    interval_s: Interval | None = None
    fall: Count | None = None
    rise: Count | None = None
    confirm_interval_s: Confirm | None = None


class _Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    file: str
    max_age_s: Seconds


class _Certificate(msgspec.Struct, frozen=True, kw_only=True):
    file: str
    warn_days: Seconds = 7.0
    endpoint: str | None = None
    name: str | None = None
    ca_file: str | None = None


class _Secret(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    max_age_s: Seconds
    key: str | None = None
    renew: Words | None = None
    check: Words | None = None
    reload: str | None = None


class _Component(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    unit: str | None = None
    command: Words | None = None
    listen: str | None = None
    health: _Health | None = None
    heartbeat: _Heartbeat | None = None
    releases: Releases | None = None
    certificate: _Certificate | None = None
    artifact: tuple[Artifact, ...] = ()
    secret: tuple[_Secret, ...] = ()
    depends_on: tuple[str, ...] = ()
    drain: Words | None = None
    stop_grace_s: Grace = 10.0
    start_grace_s: Seconds = 20.0


def components(document: Document, allow_commands: bool) -> tuple[Component, ...]:
    """The tables `[[component]]`; what is wrong with them is noted in the document."""
    tables = document.tables.get("component", [])
    if not isinstance(tables, list):
        document.problem(("component",), "is written [[component]], in two brackets")
        return ()
    names = [table.get("name") for table in tables if isinstance(table, dict)]
    found: dict[int, Component] = {}
    for index in range(len(tables)):
        path: KeyPath = ("component", index)
        raw = document.convert(_Component, path)
        if raw is None:
            continue
        if not _COMPONENT_NAME.fullmatch(raw.name):
            document.problem((*path, "name"), f'must be letters, digits and any of "-_.@", is {shown(raw.name)}')
        elif raw.name in names[:index]:
            document.problem((*path, "name"), "another component has this name already")
        found[index] = _component(document, path, raw, allow_commands)
    _check_dependencies(document, found, [name for name in names if isinstance(name, str)])
    return tuple(found.values())


def _component(document: Document, path: KeyPath, raw: _Component, allow_commands: bool) -> Component:
    _check_run(document, path, raw, allow_commands)
    _check_files(document, path, raw)
    return Component(
        name=raw.name,
        unit=raw.unit,
        command=raw.command,
        listen=_endpoint(document, (*path, "listen"), raw.listen),
        health=_health(document, (*path, "health"), raw.health),
        heartbeat=Heartbeat(**msgspec.structs.asdict(raw.heartbeat)) if raw.heartbeat else None,
        releases=raw.releases,
        certificate=_certificate(document, (*path, "certificate"), raw.certificate) if raw.certificate else None,
        artifacts=tuple(_artifact(document, (*path, "artifact", at), each) for at, each in enumerate(raw.artifact)),
        secrets=tuple(_secret(document, (*path, "secret", at), each) for at, each in enumerate(raw.secret)),
        depends_on=raw.depends_on,
        drain=raw.drain,
        stop_grace_s=raw.stop_grace_s,
        start_grace_s=raw.start_grace_s,
    )


def _check_run(document: Document, path: KeyPath, raw: _Component, allow_commands: bool) -> None:
    """How the component runs: by a unit or by a command, and how it is drained."""
    if raw.unit is not None:
        check_unit(document, (*path, "unit"), raw.unit)
        if (kind := raw.unit.rpartition(".")[2]) in NOT_RESTARTED:
            document.problem((*path, "unit"), f"is a {kind}, which a restart does not mend; write what runs in it")
    if raw.command is not None and raw.unit is not None:
        document.problem((*path, "command"), "there is a unit already; a component has one or the other")
    elif raw.command is not None and not allow_commands:
        document.problem((*path, "command"), "an installed service runs no commands; write a unit")
    check_program(document, (*path, "command"), raw.command)
    check_program(document, (*path, "drain"), raw.drain)


def _check_files(document: Document, path: KeyPath, raw: _Component) -> None:
    named: list[tuple[str, str, str | None]] = []
    if raw.heartbeat:
        named.append(("heartbeat", "file", raw.heartbeat.file))
    if raw.releases:
        named += [("releases", key, getattr(raw.releases, key)) for key in ("folder", "current")]
        if raw.releases.folder == raw.releases.current:
            document.problem((*path, "releases", "current"), "is the folder itself, and not a link into it")
    if raw.certificate:
        named += [("certificate", key, getattr(raw.certificate, key)) for key in ("file", "ca_file")]
    for table, key, value in named:
        check_absolute(document, (*path, table, key), value)


def _certificate(document: Document, path: KeyPath, raw: _Certificate) -> Certificate:
    endpoint = _endpoint(document, (*path, "endpoint"), raw.endpoint)
    return Certificate(**msgspec.structs.asdict(raw) | {"endpoint": endpoint})


def _artifact(document: Document, path: KeyPath, raw: Artifact) -> Artifact:
    check_absolute(document, (*path, "path"), raw.path)
    check_absolute(document, (*path, "good_copy"), raw.good_copy)
    if raw.good_copy == raw.path:
        document.problem((*path, "good_copy"), "is the file itself")
    if raw.sha256 is not None and raw.dpkg:
        document.problem((*path, "dpkg"), "there is a sha256 already; an artifact has one or the other")
    elif raw.sha256 is None and not raw.dpkg:
        document.problem(path, "says nothing of its content: write sha256, or dpkg = true")
    elif raw.sha256 is not None and not _SHA256.fullmatch(raw.sha256):
        document.problem((*path, "sha256"), f"must be 64 hexadecimal digits, is {shown(raw.sha256)}")
    return raw


def _secret(document: Document, path: KeyPath, raw: _Secret) -> Secret:
    check_absolute(document, (*path, "path"), raw.path)
    check_absolute(document, (*path, "key"), raw.key)
    for name, program in (("renew", raw.renew), ("check", raw.check)):  # root runs them, and searches for nothing
        check_program(document, (*path, name), program, searched=False)
    if (raw.renew is None) != (raw.check is None):
        given, missing = ("renew", "check") if raw.check is None else ("check", "renew")
        text = f'key "{missing}" is missing: {given} alone renews nothing; without both, it is reported only'
        document.problem(path, text)
    elif raw.reload is not None and raw.renew is None:
        document.problem((*path, "reload"), "is of no use without renew and check")
    if raw.reload is not None:
        check_unit(document, (*path, "reload"), raw.reload)
    return Secret(**msgspec.structs.asdict(raw))


def _health(document: Document, path: KeyPath, raw: _Health | None) -> Health | None:
    if raw is None:
        return None
    asked = [way for way in WAYS_OF_HEALTH if getattr(raw, way) is not None]
    if not asked:
        document.problem(path, "says nothing to ask: write http, grpc or command")
    elif len(asked) > 1:
        document.problem((*path, asked[1]), f"there is {asked[0]} already; health is asked in one way")
    for key, way in (("expect_status", "http"), ("grpc_service", "grpc")):
        if getattr(raw, key) is not None and asked and way not in asked:
            document.problem((*path, key), f"belongs to {way}, and the health is asked by {asked[0]}")
    if raw.http is not None and not _is_url(raw.http):
        document.problem((*path, "http"), f'must be a URL such as "http://127.0.0.1/", is {shown(raw.http)}')
    check_program(document, (*path, "command"), raw.command)
    values = {name: value for name, value in msgspec.structs.asdict(raw).items() if value is not None}
    return Health(**values | {"grpc": _endpoint(document, (*path, "grpc"), raw.grpc, scheme="")})


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        good = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and url.username is None
    except ValueError:  # a port that is none, or brackets that do not close
        return False
    return good and text.isascii() and text.isprintable() and " " not in text


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


def _endpoint(document: Document, path: KeyPath, text: str | None, *, scheme: str = "tcp:") -> Endpoint | None:
    """Without a `scheme`, what is written is HOST:PORT."""
    try:
        return None if text is None else parse_endpoint(text if scheme else f"tcp:{text}")
    except ValueError as error:
        document.problem(path, str(error) if scheme else str(error).replace("tcp:", ""))
        return None


def check_absolute(document: Document, path: KeyPath, value: str | None) -> None:
    """Notes a path that does not begin at the root."""
    if value is not None and not value.startswith("/"):
        document.problem(path, f"must be an absolute path, is {shown(value)}")


def check_unit(document: Document, path: KeyPath, unit: str) -> None:
    """Notes what no unit can be called."""
    if len(unit) > 255 or not _UNIT.fullmatch(unit):
        document.problem(path, f'must name a unit, such as "nginx.service", is {shown(unit)}')


def check_program(document: Document, path: KeyPath, words: tuple[str, ...] | None, *, searched: bool = True) -> None:
    """Notes a program that would be found by nothing, or by the folder that the agent happens to run in. `searched`: a
    bare name is looked for in PATH."""
    if words is None:
        return
    if not words[0]:
        document.problem((*path, 0), "must name a program")
    elif not searched:
        check_absolute(document, (*path, 0), words[0])
    elif "/" in words[0] and not words[0].startswith("/"):
        text = f"must be an absolute path, or a bare name that is found by PATH, is {shown(words[0])}"
        document.problem((*path, 0), text)


def _check_dependencies(document: Document, found: dict[int, Component], names: list[str]) -> None:
    for index, component in found.items():
        for number, needed in enumerate(component.depends_on):
            path: KeyPath = ("component", index, "depends_on", number)
            if needed.startswith("tcp:"):
                _endpoint(document, path, needed)
            elif needed not in names:
                document.problem(path, f"no component {shown(needed)}{nearest(needed, names)}")
    try:
        graph = {component.name: component.depends_on for component in found.values()}
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle = error.args[1][::-1]
        index = next(index for index, component in found.items() if component.name == circle[0])
        document.problem(("component", index, "depends_on"), f"goes round in a circle: {' → '.join(circle)}")
