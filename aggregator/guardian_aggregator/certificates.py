"""Are a certificate and its key what a server can show?"""

import ssl
from pathlib import Path

from guardian_aggregator.errors import ConfigError


def unreadable(key: str, path: Path) -> str | None:
    """What is wrong with reading the file that the configuration names at `key`; None when it can be read."""
    try:
        path.read_bytes()
    except OSError as error:
        return f"{key}: {path}: {error.strerror}"
    return None


def own_certificate(section: str, certificate_file: Path, key_file: Path) -> ssl.SSLContext:
    """A server's context with its certificate and key, TLS 1.2 and newer.

    Raises:
        ConfigError: a file cannot be read or is no PEM, or the key is not the certificate's; `section` is the table of
            the configuration that names them.
    """
    files = {"certificate_file": certificate_file, "key_file": key_file}
    problems = [problem for name, path in files.items() if (problem := unreadable(f"{section}.{name}", path))]
    if problems:
        raise ConfigError(problems)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate_file, key_file, password=lambda: "")
    except (ssl.SSLError, ValueError, OSError) as error:
        pair = f"{certificate_file} and {key_file}"
        text = f"{pair} are not a certificate and its key: {why(error)}"
        raise ConfigError([f"{section}.certificate_file, {section}.key_file: {text}"]) from error
    return context


def why(error: Exception) -> str:
    """OpenSSL's reason as words."""
    reason = getattr(error, "reason", None)
    return str(reason or error).lower().replace("_", " ")
