"""A program that goes on running in a host while a test does something else."""

import contextlib
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_numbers = itertools.count(1)


@dataclass
class Spawned:
    """The program's outer process (a group of its own) and the file that its output goes to."""

    process: subprocess.Popen[bytes]
    output: Path
    enters_a_host: bool = True  # by an nsenter that stays and waits for it

    @classmethod
    def start(
        cls, argv: Sequence[str], env: Mapping[str, str], folder: Path, name: str, *, enters_a_host: bool = True
    ) -> "Spawned":
        output = folder / f"{name}.{next(_numbers)}.out"
        with output.open("wb") as file:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=dict(env), start_new_session=True
            )
        return cls(process, output, enters_a_host)

    def lines(self) -> list[str]:
        """The whole lines printed so far."""
        text = self.output.read_text(errors="replace")
        return text[: text.rfind("\n") + 1].splitlines()

    def stop(self, *, within_s: float = 2.0) -> int:
        """Ends it with SIGTERM, after `within_s` seconds with SIGKILL, and returns its code (negative: a signal)."""
        for number, patience_s in ((signal.SIGTERM, within_s), (signal.SIGKILL, 10.0)):
            self._signal(number)
            deadline = time.monotonic() + patience_s
            while self.process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            if self.process.returncode is not None:
                break
        return self.process.wait(1)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            if not self.enters_a_host:
                os.killpg(self.process.pid, number)
                return
            for pid in _below(self.process.pid) or [self.process.pid]:
                os.kill(pid, number)


def _below(pid: int) -> list[int]:
    """The processes that this one started, and theirs.

    They are ended, not what brought them into the host: that buries them and ends by itself. Without it nobody might,
    and a zombie holds up the host's shutdown by ten seconds.
    """
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [below for child in children for below in (child, *_below(child))]
