"""Is the aggregator there, and can it answer?"""

import asyncio
import logging
from http import HTTPStatus
from typing import Literal

import msgspec

from guardian_aggregator.api.call import Call
from guardian_aggregator.api.endpoints import endpoint
from guardian_aggregator.api.problems import Problem

_STORE_TIMEOUT_S = 2.0

_log = logging.getLogger(__name__)


class Health(msgspec.Struct, frozen=True, kw_only=True):
    status: Literal["ok"]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    status: Literal["ready"]
    store: Literal["ok"]


@endpoint("/healthz", role=None)
async def healthz(call: Call) -> Health:  # noqa: ARG001 (every handler is called alike)
    """The process serves; nothing else is asked."""
    return Health(status="ok")


@endpoint("/readyz", role=None)
async def readyz(call: Call) -> Readiness:
    """The store answers and stores; 503 when it does not within two seconds, or could not store what came last."""
    if (failure := call.store_failure()) is not None:
        _log.warning("not ready: %s", failure)
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "the store could not keep what came last; see the aggregator's log"
        )
    try:
        async with asyncio.timeout(_STORE_TIMEOUT_S):
            await call.queries.answers()
    except TimeoutError:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"the store did not answer in {_STORE_TIMEOUT_S} s") from None
    return Readiness(status="ready", store="ok")
