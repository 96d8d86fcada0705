"""How many bytes of batches are in memory at once, over all streams: what is beyond waits in the network."""

import asyncio
from collections import deque


class ByteBudget:
    """A number of bytes that is shared out in the order in which it is asked for."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def held(self) -> int:
        """How much is out."""
        return self._total - self._free

    async def take(self, number: int) -> None:
        """Waits until there is so much."""
        if not self._waiting and number <= self._free:
            self._free -= number
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((number, granted))
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self.give_back(number)
            else:
                self.give_back(0)  # whoever waited behind it may have had room all along
            raise

    def give_back(self, number: int) -> None:
        """Ends the use of what was taken."""
        self._free += number
        while self._waiting:
            wanted, granted = self._waiting[0]
            if granted.done():
                self._waiting.popleft()
            elif wanted <= self._free:
                self._free -= wanted
                self._waiting.popleft()
                granted.set_result(None)
            else:
                return

    def share(self) -> "Share":
        """A share of nothing yet."""
        return Share(self, self._total)


class Share:
    """What one stream has of the budget."""

    def __init__(self, budget: ByteBudget, most: int) -> None:
        self._budget = budget
        self._most = most
        self._held = 0

    async def hold(self, number: int) -> None:
        """Makes it so many bytes, at most all there are. One that must wait for more gives up first what it has."""
        number = min(number, self._most)
        if number > self._held:
            self.release()
            await self._budget.take(number)
        else:
            self._budget.give_back(self._held - number)
        self._held = number

    def release(self) -> None:
        """Makes it nothing."""
        self._budget.give_back(self._held)
        self._held = 0
