"""What a fault is: how it is done, how a client feels it, how it is undone, and who could mend it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from tests.bed.certificates import Authority
from tests.bed.fleet import Fleet
from tests.bed.host import Host
from tests.bed.router import Router
from tests.bed.spawned import Spawned
from tests.bed.workloads.workloads import run_everything

from guardian_agent.model import Layer


class Mend(StrEnum):
    """Who can mend it."""

    HOST = "host"  # the host itself, by a playbook
    ELSEWHERE = "elsewhere"  # a switch, a router, another host: Guardian can only name it and call somebody


@dataclass
class Scene:
    """Where faults happen: the host that is broken, another one on the same link, and the hub, where the clients are.

    `authority` is the one that clients trust; what the host presents was issued for `site-NAME`.
    `spawned` is what an `inject` leaves running, by a name of its own, for its `revert` to stop.
    """

    fleet: Fleet
    host: Host
    other: Host
    authority: Authority
    spawned: dict[str, Spawned] = field(default_factory=dict)

    @classmethod
    async def on(cls, fleet: Fleet) -> "Scene":
        """`h1` with every workload on it, and `h2` beside it. Raises CommandError, TimeoutError: one did not start."""
        authority = await Authority.create(fleet.run.logs / "site-ca")
        await run_everything(fleet, fleet["h1"], authority)
        return cls(fleet, fleet["h1"], fleet["h2"], authority)

    @property
    def hub(self) -> Host:
        return self.fleet.hub

    @property
    def router(self) -> Router:
        return self.host.router


Act = Callable[[Scene], Awaitable[None]]  # raises CommandError when it does not work
Symptom = Callable[[Scene], Awaitable[bool]]  # one question of a client: is it broken?


@dataclass(frozen=True)
class Fault:
    """One way to break a host.

    `symptom` is asked from outside, as a client would notice it: true while broken, false before and when healed.
    `inject` and `revert` return when they are done, not when the symptom is there or gone: that is waited for.
    `revert` may be called twice, and after somebody else has mended the fault.
    """

    id: str
    layer: Layer  # the lowest one that is at fault
    breaks: str  # one sentence, for people
    issue_type: str  # what Guardian is to call it
    mend: Mend
    inject: Act
    symptom: Symptom
    revert: Act
    shows_within_s: float = 10.0  # after `inject`, and after `revert` until it is gone
    patience_s: float = 25.0  # for a verdict, from the moment at which a client feels it
    unseen: str = ""  # why the host itself cannot see it, where that is so
    in_make_test: bool = False  # one of the few that stand for their family in `make test`
