"""What did a unit, or the kernel, say last?"""

import asyncio
import contextlib
import re

from guardian_agent.errors import ProbeError
from guardian_agent.host.questions import ReadJournal, ReadKernelMessages

JOURNALCTL = "/usr/bin/journalctl"
LIMIT_S = 5.0
MOST_BYTES = 1 << 20  # of what it says; the oldest go first
MOST_LINES = 1000
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}")  # no pattern, which could stand for every unit
_COMMON = ("--no-pager", "--quiet", "--output=short-iso")


async def read(question: ReadJournal | ReadKernelMessages) -> tuple[str, ...]:
    """The lines, oldest first. Raises ProbeError. Source: journalctl(1)."""
    match question:
        case ReadJournal(unit=unit, lines=lines):
            if not _UNIT.fullmatch(unit):
                raise ProbeError(f"{question.describe()}: not a unit's name")
            return await _lines(question.describe(), f"--unit={unit}", f"--lines={_some(lines)}")
        case ReadKernelMessages(lines=lines):
            return await _lines(question.describe(), "--dmesg", f"--lines={_some(lines)}")


def _some(lines: int) -> int:
    return min(max(lines, 1), MOST_LINES)


async def _lines(shown: str, *arguments: str) -> tuple[str, ...]:
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        program = await asyncio.create_subprocess_exec(
            JOURNALCTL, *_COMMON, *arguments, stdin=nothing, stdout=pipe, stderr=nothing, env={}, start_new_session=True
        )
    except OSError as error:
        raise ProbeError(f"{shown}: {error.strerror}") from error
    try:
        async with asyncio.timeout(LIMIT_S):
            said = await _last_bytes(program)
            code = await program.wait()
    except TimeoutError as error:
        raise ProbeError(f"{shown}: no answer within {LIMIT_S:g} s") from error
    finally:
        with contextlib.suppress(ProcessLookupError):
            program.kill()
        await program.wait()
    if code != 0:
        raise ProbeError(f"{shown}: ended with exit code {code}")
    return tuple(said.decode(errors="replace").splitlines())


async def _last_bytes(program: asyncio.subprocess.Process) -> bytes:
    said, cut = bytearray(), False
    while program.stdout is not None and (part := await program.stdout.read(65536)):
        said += part
        cut |= len(said) > MOST_BYTES
        del said[:-MOST_BYTES]
    return bytes(said.partition(b"\n")[2] if cut else said)  # the first line is half a line then
