"""How are tables of nftables read and changed?

By nft(8) itself: its listing is what it takes back, and its input is one transaction.
"""

import asyncio
import logging
import subprocess

from guardian_agent.errors import OperationError, ProbeError, RefusedOperationError
from guardian_agent.host import nft
from guardian_agent.host.as_root.seen_tables import SeenTables
from guardian_agent.host.operations import ReplaceTables
from guardian_agent.host.questions import ReadRuleset

NFT = "/usr/sbin/nft"
LIMIT_S = 10.0
ENVIRONMENT = {"LC_ALL": "C"}

log = logging.getLogger(__name__)


async def read(question: ReadRuleset) -> dict[str, str]:
    """Every table's text; root keeps in mind that it has seen them. Raises ProbeError."""
    return await asyncio.to_thread(_read_and_note, question.describe(), SeenTables())


async def replace(operation: ReplaceTables) -> None:
    """Replaces, adds and deletes tables in one transaction. Raises OperationError: RefusedOperationError for what root
    has never seen so on this host, unless it is Guardian's own, which the executor's rule compares."""
    await asyncio.to_thread(_replace, operation, SeenTables())


def _read_and_note(shown: str, seen: SeenTables) -> dict[str, str]:
    tables = _read(shown)
    try:
        seen.note(tables)
    except OSError as error:  # they can be looked at all the same, and what is new cannot be put back
        log.warning("%s: that they were seen is not kept: %s", shown, error.strerror)
    return tables


def _read(shown: str) -> dict[str, str]:
    try:
        listing = _run("--stateless", "list", "ruleset")
        if len(listing) > nft.MOST_BYTES:
            raise ProbeError(f"{shown}: they are longer than {nft.MOST_BYTES} bytes")
        return nft.tables_in(listing.decode())
    except ValueError as error:
        raise ProbeError(f"{shown}: {error}") from error
    except OperationError as error:
        raise ProbeError(f"{shown}: {error}") from error


def _replace(operation: ReplaceTables, seen: SeenTables) -> None:
    shown = operation.describe()
    for key, text in operation.tables.items():
        if not nft.is_key(key):
            raise RefusedOperationError(f"{shown}: {key!r} is no name of a table")
        if text and (wrong := nft.fault(key, text)):
            raise RefusedOperationError(f"{shown}: {wrong}")
        if not nft.is_ours(key) and not _was_seen(seen, key, text):
            never = f"root has never seen table {key} {'like that' if text else 'gone'} on this host"
            raise RefusedOperationError(f"{shown}: {never}")
    try:
        there = _run("list", "tables").decode().splitlines()
        # Only what is there can be deleted; adding it first, as is the custom, would wake one that is dormant.
        gone = [f"delete table {key}\n" for key in operation.tables if f"table {key}" in there]
        if script := "".join([*gone, *operation.tables.values()]):
            _run("-f", "-", script=script)
    except OperationError as error:
        raise type(error)(f"{shown}: {error}") from error


def _was_seen(seen: SeenTables, key: str, text: str) -> bool:
    try:
        return seen.has(key, text)
    except OSError as error:
        raise RefusedOperationError(f"which tables root has seen cannot be read: {error.strerror}") from error


def _run(*arguments: str, script: str = "") -> bytes:
    """What nft prints. Raises OperationError."""
    try:
        done = subprocess.run(  # noqa: S603 (a fixed program; what it reads was checked)
            (NFT, *arguments), input=script.encode(), capture_output=True, timeout=LIMIT_S, env=ENVIRONMENT, check=False
        )
    except FileNotFoundError as error:
        raise RefusedOperationError(f"there is no {NFT} on this host") from error
    except subprocess.TimeoutExpired as error:
        raise OperationError(f"nft was still running after {LIMIT_S:g} s and was killed") from error
    except OSError as error:
        raise OperationError(f"nft cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise OperationError(f"nft failed: {said or f'exit code {done.returncode}'}")
    return done.stdout
