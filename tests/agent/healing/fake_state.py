"""A state that is a dictionary: durable a millisecond after it was told, in order."""

import asyncio
from typing import Any, TypeVar

import msgspec

from guardian_agent.errors import StateError
from guardian_agent.model import Execution, Fact, Incident, Page, PlaybookCounters, Transition
from guardian_agent.state import Forget, Remember

S = TypeVar("S", bound=msgspec.Struct)

COMMIT_S = 0.001


class FakeState:
    """What the agent submitted, as copies; `failing` is why nothing can be stored."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.memory: dict[str, dict[str, bytes]] = {}
        self.failing = ""

    def submit(self, *changes: Fact | Remember | Forget) -> "asyncio.Future[None]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if self.failing:
            future.set_exception(StateError(self.failing))
            future.exception()  # as with the real one, not everybody awaits it
            return future
        for change in changes:
            self._take(change)
        loop.call_later(COMMIT_S, _resolve, future)
        return future

    async def recall(self, kind: str, type_: type[S]) -> dict[str, S]:
        return {key: msgspec.json.decode(value, type=type_) for key, value in self.memory.get(kind, {}).items()}

    async def open_incidents(self) -> list[Incident]:
        return [incident for incident in self.incidents() if incident.closed_at is None]

    async def unfinished_executions(self) -> list[Execution]:
        return [execution for execution in self.executions() if execution.outcome is None]

    async def recent_executions(self, limit: int = 20) -> list[Execution]:
        return self.executions()[::-1][:limit]

    async def counters(self) -> dict[str, PlaybookCounters]:
        return {}

    async def broken_chain(self) -> str:
        return ""

    def incidents(self) -> list[Incident]:
        """Each incident as it was last told, in the order of their opening."""
        return list({fact.incident_id: fact for fact in self.facts if isinstance(fact, Incident)}.values())

    def executions(self) -> list[Execution]:
        """Each execution as it was last told, in the order of their beginning."""
        return list({fact.execution_id: fact for fact in self.facts if isinstance(fact, Execution)}.values())

    def pages(self) -> list[Page]:
        return [fact for fact in self.facts if isinstance(fact, Page)]

    def transitions(self) -> list[Transition]:
        return [fact for fact in self.facts if isinstance(fact, Transition)]

    def _take(self, change: Any) -> None:
        match change:
            case Remember(kind, key, value):
                self.memory.setdefault(kind, {})[key] = msgspec.json.encode(value)
            case Forget(kind, key):
                self.memory.get(kind, {}).pop(key, None)
            case _:
                self.facts.append(msgspec.json.decode(msgspec.json.encode(change), type=type(change)))


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
