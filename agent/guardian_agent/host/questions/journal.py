"""What only root can read of the journal (journalctl(1)); who asks takes the secrets out of it."""

from typing import ClassVar

from guardian_agent.host.questions.base import Question


class ReadJournal(Question[tuple[str, ...]], frozen=True, tag=True):
    """The last lines of a unit's journal, oldest first, each with time, program and text."""

    answer_type: ClassVar = tuple[str, ...]
    unit: str
    lines: int = 100  # as many, of at most 1000

    def describe(self) -> str:
        return f"journalctl --unit={self.unit} --lines={self.lines}"


class ReadKernelMessages(Question[tuple[str, ...]], frozen=True, tag=True):
    """The kernel's last messages of this boot, oldest first."""

    answer_type: ClassVar = tuple[str, ...]
    lines: int = 100  # as many, of at most 1000

    def describe(self) -> str:
        return f"journalctl --dmesg --lines={self.lines}"


JournalQuestion = ReadJournal | ReadKernelMessages
