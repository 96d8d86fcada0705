"""The gRPC channel to the aggregator: plain on a loopback address, else mutual TLS."""

import ssl
from pathlib import Path

import grpc
import grpc.aio

from guardian_agent.config import AggregatorAddress
from guardian_agent.uplink.endings import ConnectionEndedError
from guardian_agent.uplink.pace import Pace


def open_channel(aggregator: AggregatorAddress, pace: Pace) -> grpc.aio.Channel:
    """A new channel. Certificate, key and CA are read anew, since they are renewed while the agent runs.

    Raises:
        ConnectionEndedError: one of the files cannot be read, or certificate and key are no pair.
    """
    options: list[tuple[str, int]] = [
        ("grpc.keepalive_time_ms", round(pace.ping_s * 1000)),
        ("grpc.keepalive_timeout_ms", round(pace.pong_s * 1000)),
        # This one ends a connection whose ping is not answered (seen with gRPC 1.85; without it, only after 60 s).
        ("grpc.http2.ping_timeout_ms", round(pace.pong_s * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        # A connection of our own each time, so that gRPC's memory of earlier failures does not delay the next attempt.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
    ]
    if aggregator.insecure:
        return grpc.aio.insecure_channel(aggregator.address, options=options)
    files = {key: _read(getattr(aggregator, key), key) for key in ("ca_file", "key_file", "certificate_file")}
    _check(aggregator)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=files["ca_file"],
        private_key=files["key_file"],
        certificate_chain=files["certificate_file"],
    )
    return grpc.aio.secure_channel(aggregator.address, credentials, options=options)


def _read(file: str | None, key: str) -> bytes:
    if file is None:
        raise ConnectionEndedError(f"aggregator.{key} is not configured")
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConnectionEndedError(f"aggregator.{key}: {file}: {error.strerror or error}") from error


def _check(aggregator: AggregatorAddress) -> None:
    """Says which file is at fault, where gRPC would only say that there is no handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    certificate, key, ca = (aggregator.certificate_file or "", aggregator.key_file or "", aggregator.ca_file or "")
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, ValueError, OSError) as error:
        text = f"{certificate} and {key} are not a certificate and its key: {_why(error)}"
        raise ConnectionEndedError(f"aggregator.certificate_file, aggregator.key_file: {text}") from error
    try:
        context.load_verify_locations(ca)
    except (ssl.SSLError, OSError) as error:
        text = f"{ca} has no certificate that can be read: {_why(error)}"
        raise ConnectionEndedError(f"aggregator.ca_file: {text}") from error


def _why(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error).lower().replace("_", " ")
