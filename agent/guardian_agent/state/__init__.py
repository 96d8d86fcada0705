"""What the agent knows for good: its journal, its outbox, its counters, and what it was told to remember."""

from guardian_agent.state.outbox import Batch, Bounds, Outbox
from guardian_agent.state.overflow import Limits
from guardian_agent.state.rows import Gap
from guardian_agent.state.state import Forget, Remember, State

__all__ = ["Batch", "Bounds", "Forget", "Gap", "Limits", "Outbox", "Remember", "State"]
