"""What can go wrong, by what the caller must do about it."""


class GuardianError(Exception):
    """Every error that is ours; its text is one sentence for an operator."""


class ConfigError(GuardianError):
    """The configuration cannot be used; each problem is one line `file:line: key: what is wrong`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class UsageError(GuardianError):
    """A command was given what does not exist; the text names what does."""


class ProbeError(GuardianError):
    """A look could not tell: the reading is unknown, and unknown opens and closes nothing."""


class CannotLookError(ProbeError):
    """A look could not even begin: the program that is to look cannot be started."""


class CannotPlanError(GuardianError):
    """A playbook does not apply to what it finds; the text says why, and the next rung is tried."""


class OperationError(GuardianError):
    """A change to the machine was refused or did not work."""


class RefusedOperationError(OperationError):
    """A change was refused before it began (not allowed, no such unit): the machine is as it was."""


class UnknownResultError(OperationError):
    """Whoever carries out a change cannot be reached: nobody knows whether it was made, and it may be tried again."""


class TakenBackError(OperationError):
    """A change that could have cut this host off was taken back by the executor, on its own: it had not heard in time
    that the change may stay."""


class NotReachedError(RefusedOperationError, UnknownResultError):
    """Whoever carries out a change was not even told of it: the machine is as it was, and it may be tried again."""


class StateError(GuardianError):
    """The state folder or its database cannot be used."""


class StateEndedError(StateError):
    """Nothing more can be stored in this run of the agent."""
