"""What was sent on one stream and is not acknowledged yet: the credit, and whether an acknowledgement can be true."""

import asyncio
from collections import deque

from guardian_agent.state import Batch
from guardian_agent.uplink.endings import NonsenseError

MAX_CREDIT = 1_000_000  # records; whoever grants more has not understood the word


class Flight:
    """Counts in records; `sent` and `acked` are seqs."""

    def __init__(self, resumed_after: int, credit: int) -> None:
        self.sent = resumed_after
        self.acked = resumed_after
        self.changes = 0  # acknowledgements so far
        self._credit = self._checked(credit)
        self._last_seqs: deque[int] = deque()  # of each record under way
        self._changed = asyncio.Event()
        if credit == 0:
            raise NonsenseError("the aggregator grants no credit at all")

    def __len__(self) -> int:
        """Records under way."""
        return len(self._last_seqs)

    @property
    def room(self) -> int:
        """Records that may be sent now; 0 or less: none."""
        return self._credit - len(self._last_seqs)

    def add(self, batch: Batch) -> None:
        """These records are being sent."""
        self._last_seqs.extend(batch.last_seqs)
        self.sent = batch.last_seqs[-1]

    def acknowledge(self, through: int, credit: int) -> None:
        """Everything through this seq is stored over there, and `credit` records may be under way from now on.

        Raises:
            NonsenseError: it was not sent, or lies inside one record, or takes back an acknowledgement.
        """
        if through > self.sent:
            raise NonsenseError(f"the aggregator acknowledges record {through}, which was not sent")
        if through < self.acked:
            raise NonsenseError(f"the aggregator acknowledges through {through} after it had acknowledged {self.acked}")
        self._credit = self._checked(credit)
        while self._last_seqs and self._last_seqs[0] <= through:
            self.acked = self._last_seqs.popleft()
        if self.acked != through:
            raise NonsenseError(f"the aggregator acknowledges through {through}, which is in the middle of one record")
        if credit == 0 and not self._last_seqs:
            raise NonsenseError("the aggregator grants no credit though nothing is under way")
        self.changes += 1
        self._changed.set()

    async def wait_for_room(self) -> None:
        """Returns when at least one record may be sent."""
        while self.room <= 0:
            await self.wait_beyond(self.changes)

    async def wait_beyond(self, changes: int) -> None:
        """Returns when there were more acknowledgements than `changes`."""
        while self.changes == changes:
            self._changed.clear()
            await self._changed.wait()

    @staticmethod
    def _checked(credit: int) -> int:
        if credit > MAX_CREDIT:
            raise NonsenseError(f"the aggregator grants credit for {credit} records, more than {MAX_CREDIT}")
        return credit
