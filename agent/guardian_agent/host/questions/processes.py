"""What only root can read of processes."""

from typing import ClassVar

import msgspec

from guardian_agent.host.questions.base import Question


class ThreadStack(msgspec.Struct, frozen=True, kw_only=True):
    """Where one thread is in the kernel (proc(5): stack, wchan, syscall, status)."""

    pid: int
    tid: int
    name: str
    status: str  # R, S, D, T …
    waits_in: str = ""  # the kernel's function that it sleeps in
    system_call: str = ""  # its number and arguments, or "running"
    kernel_stack: tuple[str, ...] = ()  # innermost first


class ReadStacks(Question[tuple[ThreadStack, ...]], frozen=True, tag=True):
    """Where the threads of a unit are, as many as `most`."""

    answer_type: ClassVar = tuple[ThreadStack, ...]
    unit: str
    most: int = 100

    def describe(self) -> str:
        return f"the stacks of {self.unit}"


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """How one process fares (proc(5): status, fd, limits). No word of its command line, which may hold a secret."""

    pid: int
    name: str
    status: str  # R, S, D, T …
    threads: int = 0
    memory_bytes: int = 0  # resident
    open_files: int | None = None  # None: not told
    open_files_limit: int | None = None


class ReadVitals(Question[tuple[Vitals, ...]], frozen=True, tag=True):
    """How the processes of a unit fare, as many as `most`."""

    answer_type: ClassVar = tuple[Vitals, ...]
    unit: str
    most: int = 20

    def describe(self) -> str:
        return f"the state of the processes of {self.unit}"


ProcessQuestion = ReadStacks | ReadVitals
