"""Everything that is asked of root, as data: one closed, tagged union, a family a file."""

from guardian_agent.host.questions.artifacts import ArtifactQuestion, CopyState, JudgeCopy
from guardian_agent.host.questions.base import Question
from guardian_agent.host.questions.cleanup import (
    Cleaned,
    CleanupQuestion,
    FoundRemovable,
    HeldFile,
    ListCleaned,
    ListHeldFiles,
    ListRemovable,
    Removable,
    Spared,
)
from guardian_agent.host.questions.firewall import FirewallQuestion, ReadRuleset
from guardian_agent.host.questions.journal import JournalQuestion, ReadJournal, ReadKernelMessages
from guardian_agent.host.questions.ports import PortHolder, PortHolders, PortQuestion, PortUse
from guardian_agent.host.questions.processes import ProcessQuestion, ReadStacks, ReadVitals, ThreadStack, Vitals

__all__ = [
    "ArtifactQuestion",
    "Cleaned",
    "CleanupQuestion",
    "CopyState",
    "FirewallQuestion",
    "FoundRemovable",
    "HeldFile",
    "JournalQuestion",
    "JudgeCopy",
    "ListCleaned",
    "ListHeldFiles",
    "ListRemovable",
    "PortHolder",
    "PortHolders",
    "PortQuestion",
    "PortUse",
    "ProcessQuestion",
    "Question",
    "ReadJournal",
    "ReadKernelMessages",
    "ReadRuleset",
    "ReadStacks",
    "ReadVitals",
    "Removable",
    "RootQuestion",
    "Spared",
    "ThreadStack",
    "Vitals",
]

RootQuestion = ProcessQuestion | ArtifactQuestion | CleanupQuestion | FirewallQuestion | JournalQuestion | PortQuestion
