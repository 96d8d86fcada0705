"""One aggregator, asked over HTTP."""

import json
import os
import ssl
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import aiohttp

from guardian_ctl.credentials import NONE, Credentials
from guardian_ctl.errors import CtlError, WrongUsageError

TIMEOUT_S = 10.0
NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")  # OpenSSL's words, by its version

Parameters = Iterable[tuple[str, str]]


class Answer(NamedTuple):
    """What the API sent: as it came, and what it says."""

    text: str
    data: dict[str, Any]


class Client:
    """Asks the aggregator at a URL, as an `async with` block."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S, credentials: Credentials = NONE) -> None:
        self.url = check_url(url)
        self._timeout_s = timeout_s
        self._credentials = credentials
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        token, ca = self._credentials
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=True if ca is None else ca),
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, parameters: Parameters = ()) -> Answer:
        """What the API answers at `path`.

        Raises:
            WrongUsageError: it refuses a parameter.
            CtlError: it cannot be reached, has a problem, or is no aggregator.
        """
        if self._session is None:
            raise RuntimeError("a client is used inside its `async with`")
        try:
            async with self._session.get(self.url + path, params=list(parameters), allow_redirects=False) as response:
                body = await response.read()
                status = response.status
        except TimeoutError:
            raise CtlError(f"{self.url} does not answer within {self._timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            raise CtlError(f"{self.url} cannot be asked: {_why(error)}") from None
        return self._read(status, body)

    def _read(self, status: int, body: bytes) -> Answer:
        try:
            text = body.decode()
            data = json.loads(text)
        except ValueError:
            data = None
        if status != HTTPStatus.OK:
            raise self._problem(status, data)
        if not isinstance(data, dict):
            raise CtlError(f"{self.url} answers, but not as Guardian's aggregator does")
        return Answer(text, data)

    def _problem(self, status: int, data: Any) -> CtlError:
        """RFC 9457 problem details, or whatever it was, as one sentence."""
        if not isinstance(data, dict) or not isinstance(data.get("detail"), str):
            phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "an unknown status"
            return CtlError(f"{self.url} answers {status} ({phrase}), and not as Guardian's aggregator does")
        kind = WrongUsageError if status == HTTPStatus.BAD_REQUEST else CtlError
        return kind(data["detail"])


def check_url(url: str) -> str:
    """`url` without a slash at its end.

    Raises:
        WrongUsageError: it is none that can be asked.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise WrongUsageError(f"--url (or GUARDIAN_URL) must be such as http://127.0.0.1:8080, is {url!r}")
    return url.rstrip("/")


def _why(error: Exception) -> str:
    """The system's words; aiohttp puts the address around them, which the sentence has already."""
    if isinstance(error, UnicodeError):
        return "no host has such a name"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return str(error.certificate_error)
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(inner, ssl.SSLError):  # its errno is none of the system's
        return _why_no_tls(inner)
    if isinstance(inner, OSError) and inner.errno is not None:
        return (os.strerror(inner.errno) if inner.errno > 0 else inner.strerror or "its name is unknown").lower()
    if isinstance(error, aiohttp.ServerDisconnectedError) or (isinstance(inner, ConnectionError) and not str(inner)):
        return "it hangs up without an answer"
    if isinstance(error, aiohttp.ClientResponseError):
        return "what listens there does not speak HTTP"
    return str(inner) or type(error).__name__


def _why_no_tls(error: ssl.SSLError) -> str:
    if error.reason in NO_TLS:
        return "what listens there does not speak TLS; http:// instead of https://, perhaps"
    return f"no TLS with what listens there: {(error.reason or 'it hangs up').replace('_', ' ').lower()}"
