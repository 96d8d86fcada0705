"""The gRPC server: its address, its certificates, its limits."""

import ssl

import grpc
import grpc.aio

from guardian_aggregator.certificates import own_certificate, unreadable, why
from guardian_aggregator.config import Certificates
from guardian_aggregator.errors import ConfigError, GuardianError
from guardian_aggregator.ingest.codec import MAX_MESSAGE_BYTES
from guardian_aggregator.ingest.service import FleetService

_OPTIONS = [
    # Messages between our limit and this one are refused with words; beyond it gRPC itself ends the stream.
    ("grpc.max_receive_message_length", 2 * MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # a second aggregator on the port is an error, not a share of the agents
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
]


class GrpcServer:
    """Serves the fleet's streams from `start` to `stop`."""

    def __init__(
        self,
        service: FleetService,
        host: str,
        port: int,
        certificates: Certificates | None,
        *,
        ping_s: float = 30.0,
        pong_s: float = 10.0,
    ) -> None:
        """Port 0: any free one. Without certificates it speaks in the clear: for loopback addresses only.

        An agent that is silent for `ping_s` is asked whether it is there, and left when it does not say so in `pong_s`.
        """
        self._service = service
        self._host = f"[{host}]" if ":" in host else host
        self._port = port
        self._certificates = certificates
        pong_ms = round(pong_s * 1000)
        self._options = [
            *_OPTIONS,
            ("grpc.keepalive_time_ms", round(ping_s * 1000)),
            ("grpc.keepalive_timeout_ms", pong_ms),
            # This one ends a connection whose ping is not answered (seen with gRPC 1.85; without it, only after 60 s).
            ("grpc.http2.ping_timeout_ms", pong_ms),
        ]
        self._server: grpc.aio.Server | None = None

    async def start(self) -> str:
        """Listens; returns the address HOST:PORT with the port that was chosen.

        Raises:
            ConfigError: the certificates cannot be used.
            GuardianError: the address cannot be listened on.
        """
        address = f"{self._host}:{self._port}"
        credentials = None if self._certificates is None else _credentials(self._certificates)
        self._server = grpc.aio.server(options=self._options)
        self._server.add_generic_rpc_handlers((self._service.handler(),))
        try:
            if credentials is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, credentials)
        except RuntimeError:
            raise GuardianError(f"grpc.listen: {address} cannot be listened on; is it in use?") from None
        await self._server.start()
        return f"{self._host}:{port}"

    async def stop(self, grace_s: float) -> None:
        """Takes no new streams and gives those there are `grace_s` to end; what is not acknowledged is sent again."""
        self._service.close()
        if self._server is not None:
            await self._server.stop(grace_s)
        await self._service.ended()


def check_certificates(certificates: Certificates) -> None:
    """Reads the files as the server will.

    Raises:
        ConfigError: a file cannot be read or is no PEM, or the key is not the certificate's.
    """
    problems: list[str] = []
    try:
        context = own_certificate("grpc", certificates.certificate_file, certificates.key_file)
    except ConfigError as error:
        problems += error.problems
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if problem := unreadable("grpc.ca_file", certificates.ca_file):
        raise ConfigError([*problems, problem])
    try:
        context.load_verify_locations(certificates.ca_file)
    except (ssl.SSLError, OSError) as error:
        problems.append(f"grpc.ca_file: {certificates.ca_file} has no certificate that can be read: {why(error)}")
    if problems:
        raise ConfigError(problems)


def _credentials(certificates: Certificates) -> grpc.ServerCredentials:
    check_certificates(certificates)
    return grpc.ssl_server_credentials(
        [(certificates.key_file.read_bytes(), certificates.certificate_file.read_bytes())],
        root_certificates=certificates.ca_file.read_bytes(),
        require_client_auth=True,
    )
