"""What can be told of the time?"""

from typing import Protocol

from guardian_agent.model import Stamp


class Clock(Protocol):
    def now(self) -> Stamp:
        """This moment by all three clocks."""
