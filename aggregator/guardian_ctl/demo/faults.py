"""The three ways in which the demo breaks its component."""

import os
import signal
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A signal to the component's process, and what is then wrong with it."""

    name: str
    number: signal.Signals
    means: str

    def inject(self, pid: int) -> None:
        """Breaks the process. Raises ProcessLookupError when there is none."""
        os.kill(pid, self.number)


FAULTS = (
    Fault("killed", signal.SIGKILL, "its process is gone"),
    Fault("frozen", signal.SIGSTOP, "its process lives and takes connections, and answers nothing"),
    Fault("deaf", signal.SIGUSR1, "its process lives and no longer listens on its port"),
)
