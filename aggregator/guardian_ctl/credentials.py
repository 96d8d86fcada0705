"""With which token and whose certificates is the aggregator asked?"""

import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from guardian_ctl.errors import CtlError, WrongUsageError

TOKEN, TOKEN_FILE, CA_FILE = "GUARDIAN_TOKEN", "GUARDIAN_TOKEN_FILE", "GUARDIAN_CA_FILE"


class Credentials(NamedTuple):
    """Empty and None: no token is shown, and the machine's own authorities are trusted."""

    token: str = ""
    ca: ssl.SSLContext | None = None


NONE = Credentials()


def credentials_for(url: str, environment: Mapping[str, str]) -> Credentials:
    """What the environment says; a command line would show a token to every user of the machine.

    Raises:
        WrongUsageError: it says two things, or the token would go over the network in the clear.
        CtlError: a file cannot be used.
    """
    token = environment.get(TOKEN, "").strip()
    if file := environment.get(TOKEN_FILE, ""):
        if token:
            raise WrongUsageError(f"{TOKEN} and {TOKEN_FILE}: only one of them")
        token = _read(file).strip()
        if not token:
            raise CtlError(f"{TOKEN_FILE}: {file} is empty")
    if any(not 32 < ord(letter) < 127 for letter in token):
        raise WrongUsageError(f"{TOKEN} (or {TOKEN_FILE}) has something in it that no token has")
    if token and not _is_private(url):
        raise WrongUsageError(f"{url} is in the clear, and the token could be read on the way: use https")
    return Credentials(token, _authority(environment.get(CA_FILE, "")))


def _is_private(url: str) -> bool:
    """Whether nobody on the way can read what is sent there."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="ascii")
    except OSError as error:
        raise CtlError(f"{TOKEN_FILE}: {file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise CtlError(f"{TOKEN_FILE}: {file} is no token") from None


def _authority(file: str) -> ssl.SSLContext | None:
    if not file:
        return None
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        why = (error.strerror if not isinstance(error, ssl.SSLError) else "") or "has no certificate that can be read"
        raise CtlError(f"{CA_FILE}: {file}: {why}") from error
