"""The aggregator's configuration: `aggregator.toml` and the files in `conf.d` beside it."""

import ipaddress
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from guardian_aggregator.errors import ConfigError
from guardian_toml import Document, KeyPath, TomlProblems, shown, with_conf_d

DEFAULT_PATH = Path("/etc/guardian/aggregator.toml")
T = TypeVar("T")


class Address(msgspec.Struct, frozen=True):
    """Where to listen. Port 0: any free one."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Certificates(msgspec.Struct, frozen=True, kw_only=True):
    """PEM files: the server's own certificate and key, and the authority whose client certificates it accepts."""

    certificate_file: Path
    key_file: Path
    ca_file: Path


class Https(msgspec.Struct, frozen=True, kw_only=True):
    """PEM files of the HTTP server's certificate and key."""

    certificate_file: Path
    key_file: Path


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one client of the HTTP API may ask, and how long an answer may take."""

    requests_per_second: float = 100.0
    answer_within_s: float = 30.0


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What the aggregator runs with. `certificates` is None where gRPC speaks in the clear, on a loopback address;
    `https` is where HTTP does. `http_tokens`: whoever asks must show one."""

    state_dir: Path
    grpc: Address
    certificates: Certificates | None
    http: Address
    https: Https | None
    http_tokens: bool
    http_limits: HttpLimits
    database: Path


class _Aggregator(msgspec.Struct, frozen=True):
    state_dir: str = "/var/lib/guardian-aggregator"


class _Grpc(msgspec.Struct, frozen=True):
    listen: str = "0.0.0.0:7443"
    certificate_file: str | None = None
    key_file: str | None = None
    ca_file: str | None = None
    insecure: bool = False


class _Http(msgspec.Struct, frozen=True):
    listen: str = "127.0.0.1:8080"
    certificate_file: str | None = None
    key_file: str | None = None
    insecure: bool = False
    tokens: bool | None = None  # None: for all but a loopback address
    requests_per_second: float = HttpLimits().requests_per_second
    answer_within_s: float = HttpLimits().answer_within_s


class _Store(msgspec.Struct, frozen=True):
    url: str | None = None  # None: guardian.db in the state folder


class _Intake(msgspec.Struct, frozen=True):
    url: str = "local:"


class _File(msgspec.Struct, frozen=True):
    aggregator: _Aggregator = _Aggregator()
    grpc: _Grpc = _Grpc()
    http: _Http = _Http()
    store: _Store = _Store()
    intake: _Intake = _Intake()


def read_config(path: Path) -> Config:
    """Reads the file at `path` and the `conf.d` beside it.

    Raises:
        ConfigError: with every problem of every file.
    """
    try:
        document = Document(with_conf_d(path))
        document.convert(_File)  # notes the problems of keys and types
        config = _config(_readable(document), document)
        document.finish()
    except TomlProblems as error:
        raise ConfigError(error.problems) from None
    if config is None:  # a problem was noted, so `finish` has raised
        raise ConfigError([f"{path}: cannot be used"])
    return config


def parse_address(text: str) -> Address:
    """The Address written `HOST:PORT`, an IPv6 host in brackets.

    Raises:
        ValueError: with what is wrong with it.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise ValueError(f"must be HOST:PORT, is {shown(text)}")
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"the port must be 0 to 65535, is {shown(port)}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"an IPv6 address needs brackets: [{host}]:{port}")
    return Address(host, int(port))


def parse_database(url: str) -> Path:
    """The file that a `sqlite:///…` URL names.

    Raises:
        ValueError: with what is wrong with it.
    """
    parts = urlsplit(url)
    if parts.scheme != "sqlite":
        raise ValueError(f"this version stores in sqlite:///FILE only, is {shown(url)}")
    if parts.netloc or not parts.path.startswith("/") or not parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"must be sqlite:///FILE with the whole path, is {shown(url)}")
    return Path(f"/{parts.path.lstrip('/')}")  # four slashes are what others write for a whole path


def _readable(document: Document) -> _File:
    """What of the file can be read, so that a problem in one key hides none in another's value."""
    tables = {}
    for table in msgspec.structs.fields(_File):
        values = {}
        found = document.tables.get(table.name, {})
        for key in msgspec.structs.fields(table.type):
            with suppress(KeyError, TypeError, msgspec.ValidationError):
                values[key.name] = msgspec.convert(found[key.name], key.type)
        tables[table.name] = table.type(**values)
    return _File(**tables)


def _config(file: _File, document: Document) -> Config | None:
    state_dir = Path(file.aggregator.state_dir)
    if not state_dir.is_absolute():
        document.problem(("aggregator", "state_dir"), f"must be a whole path, is {shown(file.aggregator.state_dir)}")
    grpc = _checked(document, ("grpc", "listen"), parse_address, file.grpc.listen)
    http = _checked(document, ("http", "listen"), parse_address, file.http.listen)
    database: Path | None = state_dir / "guardian.db"
    if file.store.url is not None:
        database = _checked(document, ("store", "url"), parse_database, file.store.url)
    if file.intake.url != "local:":
        document.problem(("intake", "url"), f'this version takes "local:" only, is {shown(file.intake.url)}')
    if grpc is None or http is None or database is None:
        return None
    if grpc.port and grpc == http:
        document.problem(("http", "listen"), f"is grpc.listen, too: {http}")
    return Config(
        state_dir=state_dir,
        grpc=grpc,
        certificates=_certificates(file.grpc, grpc, document),
        http=http,
        https=_https(file.http, http, document),
        http_tokens=_tokens(file.http, http, document),
        http_limits=_limits(file.http, document),
        database=database,
    )


def _certificates(grpc: _Grpc, address: Address, document: Document) -> Certificates | None:
    named = {"certificate_file": grpc.certificate_file, "key_file": grpc.key_file, "ca_file": grpc.ca_file}
    missing = [key for key, value in named.items() if value is None]
    if grpc.insecure:
        if len(missing) < len(named):
            document.problem(("grpc", "insecure"), "there are certificates too; leave out one or the other")
        if not address.loopback:
            document.problem(("grpc", "insecure"), f"is for loopback addresses only, not {address}")
        return None
    if grpc.certificate_file is None or grpc.key_file is None or grpc.ca_file is None:
        text = f"needs {', '.join(missing)}; or insecure = true with listen on a loopback address"
        document.problem(("grpc",), text)
        return None
    return Certificates(
        certificate_file=Path(grpc.certificate_file), key_file=Path(grpc.key_file), ca_file=Path(grpc.ca_file)
    )


def _https(http: _Http, address: Address, document: Document) -> Https | None:
    if http.certificate_file is None or http.key_file is None:
        if (http.certificate_file is None) != (http.key_file is None):
            missing = "certificate_file" if http.certificate_file is None else "key_file"
            document.problem(("http",), f"needs {missing}, too")
        elif not address.loopback and not http.insecure:
            text = f"{address} is open to the network: needs certificate_file and key_file, or insecure = true"
            document.problem(("http", "listen"), text)
        return None
    if http.insecure:
        document.problem(("http", "insecure"), "there are certificates too; leave out one or the other")
    return Https(certificate_file=Path(http.certificate_file), key_file=Path(http.key_file))


def _tokens(http: _Http, address: Address, document: Document) -> bool:
    if http.tokens is False and not address.loopback:
        document.problem(("http", "tokens"), f"may be false on a loopback address only, not on {address}")
    return not address.loopback if http.tokens is None else http.tokens


def _limits(http: _Http, document: Document) -> HttpLimits:
    limits = HttpLimits(requests_per_second=http.requests_per_second, answer_within_s=http.answer_within_s)
    for name in limits.__struct_fields__:
        value = getattr(limits, name)
        if value <= 0:
            document.problem(("http", name), f"must be a number above 0, is {shown(value)}")
    return limits


def _checked(document: Document, key: KeyPath, parse: Callable[[str], T], text: str) -> T | None:
    try:
        return parse(text)
    except ValueError as error:
        document.problem(key, str(error))
        return None
