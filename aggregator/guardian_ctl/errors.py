"""What can go wrong, as one sentence for whoever typed the command."""


class CtlError(Exception):
    """Ends the command with its text and `exit_code`."""

    exit_code = 1


class WrongUsageError(CtlError):
    """What was typed cannot be meant."""

    exit_code = 2


class NotInstalledError(CtlError):
    """Something that the command needs is not on this machine."""

    exit_code = 78
