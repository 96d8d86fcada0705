"""How does a process fare that may have stopped to answer?"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from guardian_agent.host.protocols.units import Units
from guardian_agent.host.questions import ReadVitals, Vitals

KIB = 1024
OPEN_FILES = "Max open files"  # its line in /proc/PID/limits: soft limit, hard limit, unit


async def read(units: Units, question: ReadVitals) -> tuple[Vitals, ...]:
    """The unit's processes, the oldest first. Raises ProbeError."""
    processes = await units.processes(await units.control_group(question.unit))
    pids = sorted(process.pid for process in processes)[: question.most]
    return await asyncio.to_thread(lambda: tuple(_vitals(pids)))


def _vitals(pids: Iterable[int]) -> Iterator[Vitals]:
    for pid in pids:
        folder = Path(f"/proc/{pid}")
        try:
            lines = (folder / "status").read_text(errors="replace").splitlines()
        except OSError:  # it has ended
            continue
        said = {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
        yield Vitals(
            pid=pid,
            name=said.get("Name", ""),
            status=said.get("State", "")[:1],
            threads=_number(said.get("Threads", "")) or 0,
            memory_bytes=(_number(said.get("VmRSS", "")) or 0) * KIB,
            open_files=_open_files(folder),
            open_files_limit=_open_files_limit(folder),
        )


def _number(text: str) -> int | None:
    first = text.split(" ", 1)[0]
    return int(first) if first.isdecimal() else None


def _open_files(folder: Path) -> int | None:
    with contextlib.suppress(OSError):
        return sum(1 for _ in (folder / "fd").iterdir())
    return None


def _open_files_limit(folder: Path) -> int | None:
    with contextlib.suppress(OSError):
        for line in (folder / "limits").read_text().splitlines():
            if line.startswith(OPEN_FILES):
                return _number(line.removeprefix(OPEN_FILES).strip())
    return None
