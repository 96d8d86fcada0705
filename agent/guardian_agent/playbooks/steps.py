"""How is one operation of a step carried out, and what went wrong with it?"""

import asyncio
import logging
from typing import Any, NamedTuple

from guardian_agent.errors import OperationError, RefusedOperationError, UnknownResultError
from guardian_agent.host import Host
from guardian_agent.host.operations import from_json

log = logging.getLogger(__name__)

UNDO_PATIENCE_S = 60.0  # how long it is tried to take a step back while systemd cannot be reached
UNDO_RETRY_S = 1.0


class Failure(NamedTuple):
    """What went wrong with an operation."""

    text: str
    nothing_done: bool = False  # it was refused before it began
    unreachable: bool = False  # whoever does it: it may be tried again


async def take_back(host: Host, operation: dict[str, Any], shown: str, time_limit_s: float) -> Failure | None:
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + UNDO_PATIENCE_S
    while (failure := await carry_out(host, operation, shown, time_limit_s)) and failure.unreachable:
        if loop.time() >= deadline_s:
            break
        await asyncio.sleep(UNDO_RETRY_S)
    return failure


async def carry_out(
    host: Host, operation: dict[str, Any], shown: str, time_limit_s: float, undo: dict[str, Any] | None = None
) -> Failure | None:
    """Carries out one operation; answers what went wrong with it, if anything. Whatever is raised is an answer."""
    try:
        async with asyncio.timeout(time_limit_s):
            await host.do(from_json(operation), from_json(undo) if undo else None)
    except TimeoutError:
        return Failure(f"{shown}: not done within {time_limit_s:g} s")
    except OperationError as error:
        text = str(error) if str(error).startswith(shown) else f"{shown}: {error}"
        refused, unreachable = isinstance(error, RefusedOperationError), isinstance(error, UnknownResultError)
        return Failure(text, nothing_done=refused, unreachable=unreachable)
    except Exception as error:
        log.exception("%s raised what it should not", shown)
        return Failure(f"{shown}: {type(error).__name__}: {error}")
    return None
