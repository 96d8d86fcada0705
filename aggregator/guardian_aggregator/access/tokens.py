"""Bearer tokens (RFC 6750): who holds one, what for, and until when.

A token is `gdn_ID_SECRET`: 256 random bits that are shown once and kept nowhere. Its SHA-256 is kept: a secret that
nobody chose cannot be guessed, so a slow hash would protect nothing more.
"""

import fcntl
import hashlib
import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path

import msgspec

from guardian_aggregator.errors import GuardianError

FILE_NAME = "tokens.json"

_ID_BYTES, _SECRET_BYTES = 6, 32
_TOKEN = re.compile(rf"gdn_([0-9a-f]{{{2 * _ID_BYTES}}})_([A-Za-z0-9_-]{{43}})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")  # one word, so that a list of them has columns


class Role(StrEnum):
    """What its holder may do; each may all that those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        """Whether this role may what `needed` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a token; times are wall-clock seconds, `expires_at_s` None: never."""

    id: str
    name: str
    role: Role
    sha256: str
    created_at_s: int
    expires_at_s: int | None = None

    def is_valid(self, now_s: float) -> bool:
        return self.expires_at_s is None or now_s < self.expires_at_s


class TokenFile:
    """The tokens of one aggregator, in a file that only its owner can read."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._seen: tuple[int, int, int] | None = None
        self._known: dict[str, Token] = {}

    def create(self, name: str, role: Role, now_s: int, expires_at_s: int | None = None) -> str:
        """A new token, to be shown once.

        Raises:
            GuardianError: the name is taken or none, or the file cannot be used.
        """
        if not _NAME.fullmatch(name):
            raise GuardianError(
                f"a token's name has 1 to 63 letters, digits or . _ - and begins with a letter or digit: {name!r}"
            )
        with self._changing() as tokens:
            if any(token.name == name for token in tokens.values()):
                raise GuardianError(f"there is a token {name!r} already; revoke it first, or take another name")
            id_, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
            tokens[id_] = Token(
                id=id_, name=name, role=role, sha256=_hash(secret), created_at_s=now_s, expires_at_s=expires_at_s
            )
        return f"gdn_{id_}_{secret}"

    def revoke(self, id_or_name: str) -> Token:
        """Ends a token; the aggregator that runs takes it no more from the next request on.

        Raises:
            GuardianError: there is no such token, or the file cannot be used.
        """
        with self._changing() as tokens:
            for token in tokens.values():
                if id_or_name in (token.id, token.name):
                    return tokens.pop(token.id)
        raise GuardianError(f"there is no token {id_or_name!r}")

    def all(self) -> list[Token]:
        """Every token, also those that have expired, the oldest first.

        Raises:
            GuardianError: the file cannot be used.
        """
        return list(self._read().values())

    def holder(self, presented: str, now_s: float) -> Token | None:
        """Whose token that is; None for one that was never made, is revoked or has expired.

        Raises:
            GuardianError: the file cannot be used, and nobody can be told apart.
        """
        parts = _TOKEN.fullmatch(presented)
        token = self._read().get(parts[1]) if parts else None
        if parts is None or token is None or not hmac.compare_digest(token.sha256, _hash(parts[2])):
            return None
        return token if token.is_valid(now_s) else None

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Token]]:
        """The tokens as they are, to be changed in the body; what it raises changes nothing."""
        try:
            with _opened(self.path.parent) as folder:
                fcntl.flock(folder, fcntl.LOCK_EX)  # two who type at once
                tokens = dict(self._read())
                yield tokens
                self._write(tokens, folder)
        except OSError as error:
            raise GuardianError(f"{error.filename or self.path}: {error.strerror or error}") from error

    def _read(self) -> dict[str, Token]:
        """Costs one stat while the file stays as it is."""
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise GuardianError(f"{self.path}: {error.strerror}") from error
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen != self._seen:
            try:
                tokens = msgspec.json.decode(self.path.read_bytes(), type=list[Token])
            except OSError as error:
                raise GuardianError(f"{self.path}: {error.strerror}") from error
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise GuardianError(f"{self.path} is no file of tokens: {error}") from error
            self._known, self._seen = {token.id: token for token in tokens}, seen
        return self._known

    def _write(self, tokens: dict[str, Token], folder: int) -> None:
        """By a rename: whoever reads has the old file or the new one, whole, also after a loss of power."""
        owner = os.fstat(folder)
        handle, new = tempfile.mkstemp(prefix=".tokens-", dir=self.path.parent)  # 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(list(tokens.values()))) + b"\n")
                file.flush()
                if os.geteuid() == 0:  # typed by root, read by the service's own user
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
                os.fsync(file.fileno())
            Path(new).replace(self.path)
        except BaseException:
            with suppress(OSError):
                Path(new).unlink()
            raise
        os.fsync(folder)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
