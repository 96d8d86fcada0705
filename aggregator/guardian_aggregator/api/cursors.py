"""Where a list goes on: opaque to the client, and of no use for another question."""

import base64
import binascii
from hashlib import blake2b

import msgspec

from guardian_aggregator.api.problems import bad

_SUM_BYTES = 12


class Position(msgspec.Struct, frozen=True, array_like=True):
    """The last row of the page before: its key, and the window that its question was about (wall nanoseconds)."""

    after: tuple[int, str]
    since_ns: int | None = None
    until_ns: int | None = None


def write_cursor(scope: str, position: Position) -> str:
    """A cursor for `scope`: the path and parameters of the question that it continues."""
    body = msgspec.json.encode(position)
    return base64.urlsafe_b64encode(_sum(scope, body) + body).rstrip(b"=").decode()


def read_cursor(scope: str, cursor: str) -> Position:
    """The position in a cursor. The sum in it is no secret: it keeps a damaged cursor from meaning another place.

    Raises:
        Problem: 400; it is damaged, or continues another question.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found, body = raw[:_SUM_BYTES], raw[_SUM_BYTES:]
        if found == _sum(scope, body) and write_cursor(scope, position := _decode(body)) == cursor:
            return position
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        pass
    raise bad("cursor", "cursor: damaged, or of another question; begin again without it")


def _decode(body: bytes) -> Position:
    return msgspec.json.decode(body, type=Position)


def _sum(scope: str, body: bytes) -> bytes:
    return blake2b(scope.encode("utf-8", "surrogatepass") + b"\0" + body, digest_size=_SUM_BYTES).digest()
