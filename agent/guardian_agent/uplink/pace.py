"""How long to wait before the next connection: exponential back-off with full jitter, and never giving up.

Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog (2015).
"""

import random

import msgspec


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Times of a connection, in seconds."""

    first_s: float = 0.5  # upper bound of the first wait; it doubles each time
    cap_s: float = 30.0
    refused_s: float = 300.0  # upper bound after a refusal that only a person can lift; at least half of it is waited
    welcome_s: float = 10.0  # for connecting and being welcomed
    company_s: float = 0.1  # a record waits so long for others: what costs the aggregator is messages
    ack_s: float = 60.0  # for an acknowledgement of what is under way
    ping_s: float = 10.0  # a ping each …
    pong_s: float = 5.0  # … and its answer within


class Backoff:
    """Counts failures since the last success."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._failures = 0
        self.at_least_s = 0.0  # the aggregator's own wish

    def succeeded(self) -> None:
        """The next failure is a first one again."""
        self._failures = 0

    def next_wait_s(self, *, refused: bool = False) -> float:
        """The wait after one more failure."""
        if refused:
            wait_s = random.uniform(0.5, 1.0) * self._pace.refused_s  # noqa: S311
        else:
            bound_s = min(self._pace.cap_s, self._pace.first_s * 2.0 ** min(self._failures, 60))
            wait_s = random.uniform(0.0, bound_s)  # noqa: S311
        self._failures += 1
        return max(wait_s, self.at_least_s)
