"""How much may one client ask, and how long may an answer take?"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable, Collection
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Middleware

from guardian_aggregator.api.problems import Handler, Problem

_MOST_CLIENTS = 10_000
_BURST_S = 2.0  # so many seconds' worth may come at once


class Allowance:
    """What each client may still ask: a bucket that fills with `per_second`, up to two seconds' worth."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._most = max(1.0, per_second * _BURST_S)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # by client: how much, and when that was

    def take(self, client: str, now_s: float) -> float:
        """Takes one; 0, or in how many seconds there will be one to take."""
        left, at_s = self._left.get(client, (self._most, now_s))
        left = min(self._most, left + (now_s - at_s) * self._per_second)
        allowed = left >= 1.0
        self._left[client] = (left - allowed, now_s)
        self._left.move_to_end(client)
        if len(self._left) > _MOST_CLIENTS:  # whoever has been silent for longest has a full bucket, most likely
            self._left.popitem(last=False)
        return 0.0 if allowed else (1.0 - left) / self._per_second


def within_limits(
    per_second: float, answer_within_s: float, free: Collection[str], now_s: Callable[[], float]
) -> Middleware:
    """Refuses a client (by its address) that asks more than `per_second`, and gives up an answer that takes too long.

    `free`: paths that may always be asked for, so that a supervisor never takes a busy client for a dead server.
    """
    allowance = Allowance(per_second)

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        wait_s = 0.0 if request.path in free else allowance.take(request.remote or "", now_s())
        if wait_s:
            detail = f"more than {per_second:g} requests a second; try again in {wait_s:.2f} s"
            headers = {"Retry-After": str(math.ceil(wait_s))}
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers=headers)
        try:
            async with asyncio.timeout(answer_within_s) as limit:
                return await handler(request)
        except TimeoutError:
            if not limit.expired():
                raise
            detail = f"this answer takes longer than {answer_within_s:g} s; ask for less (a shorter window, a filter)"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail) from None

    return check
