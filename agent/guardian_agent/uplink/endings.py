"""How a connection to the aggregator can end, other than by our own will."""

from guardian_agent.errors import GuardianError


class ConnectionEndedError(GuardianError):
    """It is over, for a reason that the next attempt may not meet: a network, a restart, a missing file."""


class NonsenseError(ConnectionEndedError):
    """The other side says what the protocol does not allow. Nothing that it says is believed, so nothing is deleted."""


class OutOfOrderError(ConnectionEndedError):
    """The aggregator misses what lies between its watermark and what it was sent."""

    def __init__(self, watermark: int, text: str) -> None:
        super().__init__(text)
        self.watermark = watermark


class ForkedError(ConnectionEndedError):
    """What the aggregator has under our epoch is not ours: this host was cloned, or restored from an older image."""


class RefusedError(ConnectionEndedError):
    """The aggregator does not want this agent until somebody has changed something."""
