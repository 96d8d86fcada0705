"""What the agent and the executor say to each other: one JSON object a line each way, and one request a connection."""

import msgspec

from guardian_agent.host.operations import RootOperation
from guardian_agent.host.questions import RootQuestion

REQUEST_LIMIT = 1024 * 1024  # bytes of a line
ANSWER_LIMIT = 16 * 1024 * 1024

DO_LIMIT_S = 300.0  # for an operation that has no limit of its own
MOST_S = 3600.0  # for one that has: what is asked for counts up to here
ASK_LIMIT_S = 60.0
ARMED_S = 10.0  # without a word of the agent what could have cut this host off is taken back
WAIT_LIMIT_S = 600.0  # for the operation before this one: one is carried out at a time


class Do(msgspec.Struct, frozen=True, tag=True):
    """Carry this out. With an `undo` it is armed: that is done, newest first, unless the same `token` is heard of again
    within `ARMED_S` seconds, and again, until it may stay. `earlier`: how many changes are armed by that token already;
    where there are others, one of them was taken back, and this one is refused."""

    operation: RootOperation
    undo: RootOperation | None = None
    token: str = ""
    earlier: int = 0


class Renew(msgspec.Struct, frozen=True, tag=True):
    """Whoever armed it is still at it. Answered `Done`, or `Gone`."""

    token: str


class Disarm(msgspec.Struct, frozen=True, tag=True):
    """It may stay as it is now; without a token, whatever is armed, by an agent that died. Answered as `Renew`."""

    token: str = ""


class Ask(msgspec.Struct, frozen=True, tag=True):
    """Answer this."""

    question: RootQuestion


class Hello(msgspec.Struct, frozen=True, tag=True):
    """Are you there?"""


class Done(msgspec.Struct, frozen=True, tag=True):
    """It has taken effect."""


class Told(msgspec.Struct, frozen=True, tag=True):
    """What a question was answered, as its `answer_type` is encoded."""

    answer: msgspec.Raw


class Refused(msgspec.Struct, frozen=True, tag=True):
    """Nothing was done, and never will be."""

    reason: str


class Failed(msgspec.Struct, frozen=True, tag=True):
    """It did not work."""

    reason: str


class Unknown(msgspec.Struct, frozen=True, tag=True):
    """Nobody knows whether it was done."""

    reason: str


class Gone(msgspec.Struct, frozen=True, tag=True):
    """What the token had armed is not armed any more, nor kept: it was taken back."""

    reason: str


class Greeting(msgspec.Struct, frozen=True, tag=True):
    """The executor is there; `refusal`: why it would refuse every operation now, empty when it would not."""

    version: str
    pid: int
    refusal: str = ""


Request = Do | Ask | Hello | Renew | Disarm
Answer = Done | Told | Refused | Failed | Unknown | Gone | Greeting


def limit_s(operation: RootOperation) -> float:
    """How long an operation may take before the executor gives it up."""
    own: float | None = getattr(operation, "timeout_s", None)
    return DO_LIMIT_S if own is None else min(max(own, 0.0), MOST_S) + 10.0
