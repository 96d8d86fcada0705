"""How is a secret renewed so that the old one is at hand until the new one has proven itself?

All of it happens in a folder of root's own, one below it for each secret: the new one is written there by the declared
program, the old one is kept there. What a program says is thrown away, since it may be the secret.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

import msgspec

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host import ProgramEnd, programs
from guardian_agent.host.as_root import paths
from guardian_agent.host.operations import (
    CheckSecret,
    PutBackSecret,
    ReloadUnit,
    RenewSecret,
    RunProgram,
    SecretOperation,
)

ASIDE = "/var/lib/guardian-executor/aside/secrets"
KEPT_FOR_S = 86_400.0  # how long an old secret is kept when nothing is renewed after it
MOST_BYTES = 1 << 20
RETRY_S = 0.25  # before a check that failed is tried again
AGAIN_S = 1.0  # and one that succeeded: just after a reload it may have met who still has the old secret
ROOTS_ONLY = paths.Marks(mode=0o600)
SECRET, KEY = "secret", "key"
NEW_VARIABLES = {SECRET: "GUARDIAN_SECRET_NEW", KEY: "GUARDIAN_SECRET_NEW_KEY"}


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """How far a renewal has come, and what the replaced files were like. `files`: SECRET or KEY → path, marks."""

    phase: str  # "renewing": nothing is replaced yet; "replaced"; "put_back"
    files: dict[str, tuple[str, paths.Marks]] = {}


class Secrets:
    """Renews and puts back, one at a time."""

    def __init__(self, reload: Callable[[ReloadUnit], Awaitable[None]], aside: str = ASIDE) -> None:
        self._reload = reload
        self._aside = aside
        self._one_at_a_time = asyncio.Lock()

    async def do(self, operation: SecretOperation) -> None:
        """Carries out one operation. Raises OperationError."""
        match operation:
            case RenewSecret():
                await self.renew(operation)
            case PutBackSecret():
                await self.put_back(operation)
            case CheckSecret():
                await self.check(operation)
            case ReloadUnit():
                await self._reload(operation)

    async def renew(self, operation: RenewSecret) -> None:
        """Raises OperationError; RefusedOperationError when nothing was replaced."""
        shown = operation.describe()
        files = {SECRET: operation.path} | ({KEY: operation.key} if operation.key else {})
        async with self._one_at_a_time:
            try:
                await asyncio.to_thread(sweep, self._aside)
                await asyncio.to_thread(self._begin, operation.path, files)
                try:
                    names = {NEW_VARIABLES[each]: self._file(operation.path, f"new-{each}") for each in files}
                    end = await _run(operation.renew, operation.timeout_s, operation.path, **names)
                    if end.exit_code != 0:
                        raise RefusedOperationError(f"{shown}: it {programs.ending(end, operation.timeout_s)}")
                    made = await asyncio.to_thread(self._made, operation.path, files)
                finally:
                    await asyncio.to_thread(self._forget_new, operation.path, files)
                kept = await asyncio.to_thread(self._keep, operation.path, files, made)
            except (OSError, ValueError) as error:
                raise RefusedOperationError(f"{shown}: {_words(error)}") from error
            try:
                await asyncio.to_thread(self._replace, kept, made)
            except OSError as error:
                raise OperationError(f"{shown}: {_words(error)}") from error

    async def put_back(self, operation: PutBackSecret) -> None:
        """Raises OperationError."""
        async with self._one_at_a_time:
            try:
                replaced = await asyncio.to_thread(self._put_back, operation.path)
            except (OSError, ValueError) as error:
                raise OperationError(f"{operation.describe()}: {_words(error)}") from error
        if replaced and operation.reload:
            await self._reload(ReloadUnit(operation.reload))

    async def check(self, operation: CheckSecret) -> None:
        """Raises OperationError."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + operation.timeout_s
        good_before = False
        while True:
            try:
                end = await _run(operation.check, max(0.1, deadline_s - loop.time()), operation.path)
            except OSError as error:
                raise OperationError(f"{operation.describe()}: {_words(error)}") from error
            good = end.exit_code == 0
            if good and good_before:
                return
            good_before, pause_s = good, AGAIN_S if good else RETRY_S
            if loop.time() + pause_s >= deadline_s:
                how = "did not succeed twice" if good else programs.ending(end, operation.timeout_s)
                raise OperationError(f"{operation.describe()}: it {how} within {operation.timeout_s:g} s")
            await asyncio.sleep(pause_s)

    def _begin(self, path: str, files: dict[str, str]) -> None:
        """Empty files for the new ones. From here on, an older renewal of this secret cannot be put back any more."""
        self._note(path, Kept(phase="renewing"))
        for each in files:
            with paths.place(self._file(path, f"new-{each}")) as where:
                paths.replace(where, b"", ROOTS_ONLY)

    def _made(self, path: str, files: dict[str, str]) -> dict[str, bytes]:
        """What the program wrote. Raises OSError, and ValueError for what is no new secret."""
        made = {}
        for each in files:
            with paths.place(self._file(path, f"new-{each}")) as where:
                made[each] = paths.read(where, MOST_BYTES)
        if not made[SECRET]:
            raise ValueError("it wrote no new secret")
        return {each: content for each, content in made.items() if content}

    def _keep(self, path: str, files: dict[str, str], made: dict[str, bytes]) -> Kept:
        """Keeps the old ones, durably, before anything is replaced. Raises OSError, ValueError."""
        kept = {}
        for each in made:
            old, marks = _read_with_marks(files[each])
            if each == SECRET and old == made[each]:
                raise ValueError("what it wrote is the old secret")
            kept[each] = (files[each], marks)
            with paths.place(self._file(path, f"old-{each}")) as where:
                paths.replace(where, old, ROOTS_ONLY)
        self._note(path, found := Kept(phase="replaced", files=kept))
        return found

    def _replace(self, kept: Kept, made: dict[str, bytes]) -> None:
        for each in reversed(kept.files):  # the key first: whoever looks in between has no use for it alone
            path, marks = kept.files[each]
            with paths.place(path) as where:
                now = msgspec.structs.replace(marks, accessed_ns=None, modified_ns=None)
                paths.replace(where, made[each], now)

    def _put_back(self, path: str) -> bool:
        """Whether anything had been replaced."""
        kept = self._noted(path)
        if kept is None or kept.phase == "renewing":
            return False
        for each, (whither, marks) in kept.files.items() if kept.phase == "replaced" else ():
            with paths.place(self._file(path, f"old-{each}")) as where:
                old = paths.read(where, MOST_BYTES)
            with paths.place(whither) as where:
                paths.replace(where, old, marks)
        self._note(path, msgspec.structs.replace(kept, phase="put_back"))
        return True

    def _forget_new(self, path: str, files: dict[str, str]) -> None:
        for each in files:
            with contextlib.suppress(OSError), paths.place(self._file(path, f"new-{each}")) as where:
                paths.remove(where)

    def _note(self, path: str, kept: Kept) -> None:
        with (
            paths.private_folder(self._aside),
            paths.private_folder(self._folder(path)),
            paths.place(self._file(path, "kept.json")) as where,
        ):
            paths.replace(where, msgspec.json.encode(kept), ROOTS_ONLY)

    def _noted(self, path: str) -> Kept | None:
        try:
            with paths.place(self._file(path, "kept.json")) as where:
                return msgspec.json.decode(paths.read(where, MOST_BYTES), type=Kept)
        except FileNotFoundError:
            return None

    def _folder(self, path: str) -> str:
        """Told from every other secret's, and by people who look for theirs."""
        return f"{self._aside}/{quote(path, safe='')[-100:]}-{hashlib.sha256(path.encode()).hexdigest()[:16]}"

    def _file(self, path: str, name: str) -> str:
        return f"{self._folder(path)}/{name}"


def sweep(aside: str = ASIDE) -> None:
    """Forgets the old secrets that were kept for a day. Raises OSError."""
    with contextlib.suppress(FileNotFoundError), paths.folder(aside) as opened:
        for name in os.listdir(opened):  # noqa: PTH208 - by descriptor
            kept = os.stat(name, dir_fd=opened, follow_symlinks=False)
            if time.time() - kept.st_mtime > KEPT_FOR_S:
                shutil.rmtree(name, dir_fd=opened)


async def _run(argv: tuple[str, ...], timeout_s: float, path: str, **more: str) -> ProgramEnd:
    """Raises OSError, OperationError."""
    environment = {"GUARDIAN_SECRET_PATH": path, **more}
    if not Path(argv[0]).is_absolute():
        raise FileNotFoundError(2, "only a program with its absolute path is run as root", argv[0])
    return await programs.run(RunProgram(argv, timeout_s, environment), passed_on=())


def _read_with_marks(path: str) -> tuple[bytes, paths.Marks]:
    with paths.place(path) as where:
        file = paths.opened(where)
        try:
            return b"".join(paths.parts_of(file, MOST_BYTES)), paths.marks(file)
        finally:
            os.close(file)


def _words(error: OSError | ValueError) -> str:
    """What went wrong, and with which file; never what was in it."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
    return str(error)
