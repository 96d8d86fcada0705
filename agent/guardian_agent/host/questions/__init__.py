"""Everything that is asked of root, as data: one closed, tagged union, a family a file."""

from guardian_agent.host.questions.base import Question
from guardian_agent.host.questions.firewall import FirewallQuestion, ReadRuleset
from guardian_agent.host.questions.ports import PortHolder, PortHolders, PortQuestion, PortUse
from guardian_agent.host.questions.processes import ProcessQuestion, ReadStacks, ThreadStack

__all__ = [
    "FirewallQuestion",
    "PortHolder",
    "PortHolders",
    "PortQuestion",
    "PortUse",
    "ProcessQuestion",
    "Question",
    "ReadRuleset",
    "ReadStacks",
    "RootQuestion",
    "ThreadStack",
]

RootQuestion = ProcessQuestion | FirewallQuestion | PortQuestion
