"""Everything that is asked of root, as data: one closed, tagged union, a family a file."""

from guardian_agent.host.questions.base import Question
from guardian_agent.host.questions.processes import ProcessQuestion, ReadStacks, ReadVitals, ThreadStack, Vitals

__all__ = ["ProcessQuestion", "Question", "ReadStacks", "ReadVitals", "RootQuestion", "ThreadStack", "Vitals"]

RootQuestion = ProcessQuestion
