"""Where is a process that does nothing?"""

import asyncio
import contextlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from guardian_agent.host.protocols.units import Units
from guardian_agent.host.questions import ReadStacks, ThreadStack
from guardian_agent.host.sessions import read_stat

MOST_FRAMES = 40


async def read(units: Units, question: ReadStacks) -> tuple[ThreadStack, ...]:
    """The threads of the unit's processes. Raises ProbeError."""
    processes = await units.processes(await units.control_group(question.unit))
    pids = [process.pid for process in processes]
    return await asyncio.to_thread(lambda: tuple(itertools.islice(_threads(pids), question.most)))


def _threads(pids: Iterable[int]) -> Iterator[ThreadStack]:
    for pid in pids:
        tasks: list[Path] = []
        with contextlib.suppress(OSError):  # it has ended
            tasks = sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda task: int(task.name))
        for task in tasks:
            if (stat := read_stat(int(task.name))) is not None:
                yield ThreadStack(
                    pid=pid,
                    tid=int(task.name),
                    name=_text(task / "comm"),
                    status=stat.status,
                    waits_in=_text(task / "wchan").removeprefix("0"),
                    system_call=_text(task / "syscall"),
                    kernel_stack=tuple(_text(task / "stack").splitlines()[:MOST_FRAMES]),
                )


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:  # it has ended, or this kernel does not tell
        return ""
