"""Everything that is asked of root, as data: one closed, tagged union, a family a file."""

from guardian_agent.host.questions.base import Question
from guardian_agent.host.questions.journal import JournalQuestion, ReadJournal, ReadKernelMessages
from guardian_agent.host.questions.processes import ProcessQuestion, ReadStacks, ThreadStack

__all__ = [
    "JournalQuestion",
    "ProcessQuestion",
    "Question",
    "ReadJournal",
    "ReadKernelMessages",
    "ReadStacks",
    "RootQuestion",
    "ThreadStack",
]

RootQuestion = ProcessQuestion | JournalQuestion
