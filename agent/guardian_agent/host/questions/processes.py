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


ProcessQuestion = ReadStacks
