"""The composition root: the one place that knows every part of the aggregator and joins them."""

import asyncio
import logging
import os
import resource
import signal
import socket
import ssl
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import uvloop
from aiohttp import web

from guardian_aggregator.access import TokenFile
from guardian_aggregator.api import make_application
from guardian_aggregator.api.runner import Runner
from guardian_aggregator.certificates import own_certificate
from guardian_aggregator.config import Address, Config, Https
from guardian_aggregator.errors import GuardianError
from guardian_aggregator.ingest import FleetService, GrpcServer, check_certificates
from guardian_aggregator.store import Queries, Store, migrate, open_writer, own

_log = logging.getLogger(__name__)
_HTTP_GRACE_S = 2.0
_LOOKS_A_TIMEOUT = 4  # how often the watchdog looks in the time after which systemd would kill
_GRPC_GRACE_S = 2.0  # for commits under way and their acknowledgements


def run(config: Config) -> None:
    """Runs the aggregator until SIGTERM or SIGINT.

    Raises:
        ConfigError: the certificates cannot be used.
        GuardianError: the state folder, the database or an address cannot be used.
    """
    _raise_file_limit()
    uvloop.run(_run(config))


def check(config: Config) -> list[str]:
    """Looks at what `run` would use besides the configuration's text; returns what is worth a word though not wrong.

    Raises:
        ConfigError: the certificates cannot be used.
    """
    if config.certificates is not None:
        check_certificates(config.certificates)
    _context(config.https)
    notices = [f"{folder}: is not there; run makes it" for folder in sorted(_folders(config)) if not folder.is_dir()]
    return [*notices, *_openings(config)]


def _openings(config: Config) -> list[str]:
    openings = []
    if config.https is None and not config.http.loopback:
        openings.append(f"http.listen: {config.http} is open to the network in the clear, and tokens can be read there")
    if config.http_tokens and not TokenFile(config.state_dir).all():
        openings.append("http.tokens: there is none, so nobody may ask; `guardian-aggregator token create` makes one")
    return openings


def migrate_database(config: Config) -> str:
    """Brings the database up to this version's schema; returns what was done.

    Raises:
        GuardianError: it cannot be used, a newer version made it, or an aggregator is running on it.
    """
    _make_folder(config.database.parent)
    release = own(config.database)
    try:
        connection = open_writer(config.database, migrated=False)
        before, after = migrate(connection, config.database)
        connection.close()
    finally:
        release()
    return f"{config.database}: schema {before} → {after}" if before != after else f"{config.database}: schema {after}"


async def _run(config: Config) -> None:
    check(config)
    for opening in _openings(config):
        _log.warning("%s", opening)
    for folder in _folders(config):
        _make_folder(folder)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _ignore_hup)
    async with AsyncExitStack() as stack:
        store = Store(config.database)
        stack.callback(store.close)
        queries = Queries(config.database)
        stack.callback(queries.close)
        tokens = TokenFile(config.state_dir) if config.http_tokens else None
        application = make_application(
            queries, store_failure=lambda: store.failure, tokens=tokens, limits=config.http_limits
        )
        http = await _serve_http(application, config, stack)
        service = FleetService(store)
        server = GrpcServer(service, config.grpc.host, config.grpc.port, config.certificates)
        grpc = await server.start()
        stack.push_async_callback(server.stop, _GRPC_GRACE_S)
        _log.info("listening: grpc %s http %s", grpc, http)
        notify("READY=1")
        async with asyncio.TaskGroup() as tasks:
            chores = [tasks.create_task(_watchdog(store)), tasks.create_task(service.keep())]
            await stop.wait()
            for chore in chores:
                chore.cancel()
        notify("STOPPING=1")
        _log.info("stopping")


async def _serve_http(application: web.Application, config: Config, stack: AsyncExitStack) -> Address:
    address = config.http
    runner = Runner(application, access_log=None, shutdown_timeout=_HTTP_GRACE_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, address.host, address.port, ssl_context=_context(config.https)).start()
    except (OSError, UnicodeError) as error:
        raise GuardianError(f"http.listen: {address} cannot be listened on: {_why(error)}") from None
    return Address(address.host, runner.addresses[0][1])


def _context(https: Https | None) -> ssl.SSLContext | None:
    return None if https is None else own_certificate("http", https.certificate_file, https.key_file)


async def _watchdog(store: Store) -> None:
    """Tells systemd that all is well while the loop turns and the writer gets on, or has nothing to write.

    A transaction that a full disk undid counts as well: to be killed would mend nothing.
    """
    interval_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6 / _LOOKS_A_TIMEOUT
    before: int | None = None
    while interval_s > 0:
        now = store.pulse
        if now is None or now != before:
            notify("WATCHDOG=1")
        before = now
        await asyncio.sleep(interval_s)


def _ignore_hup() -> None:
    """SIGHUP would end the process. There is nothing that it could read again while it runs."""
    _log.info("SIGHUP changes nothing: restart the aggregator for its configuration to be read again")


def notify(state: str) -> None:
    """Tells systemd `state` (sd_notify(3)), where it listens."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel, suppress(OSError):
        channel.connect("\0" + path[1:] if path.startswith("@") else path)
        channel.sendall(state.encode())


def _folders(config: Config) -> set[Path]:
    return {config.state_dir, config.database.parent}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise GuardianError(f"{folder}: the state folder cannot be made: {_why(error)}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise GuardianError(f"{folder}: the state folder cannot be written to")


def _raise_file_limit() -> None:
    """As many open files as may be: each stream is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _why(error: OSError | UnicodeError) -> str:
    """The system's words for what went wrong; asyncio puts its own around them, and a resolver has its own numbers."""
    if isinstance(error, UnicodeError):
        return "no host has such a name"
    if error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return (error.strerror or str(error)).lower()
