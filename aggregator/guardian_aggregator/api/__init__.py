"""The aggregator's HTTP API: every route, and the application that serves them."""

import time
from collections.abc import Callable

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from guardian_aggregator.access import TokenFile
from guardian_aggregator.api import (
    executions,
    failures,
    fleet,
    healing,
    hosts,
    incidents,
    liveness,
    mttr,
    osi,
)
from guardian_aggregator.api.call import stores
from guardian_aggregator.api.callers import only_callers
from guardian_aggregator.api.compressing import compress
from guardian_aggregator.api.endpoints import NOW_NS, QUERIES, STORE_FAILURE, Endpoint
from guardian_aggregator.api.limits import within_limits
from guardian_aggregator.api.metrics import CONTENT_TYPE, Metrics
from guardian_aggregator.api.openapi import describe
from guardian_aggregator.api.parameters import read_all
from guardian_aggregator.api.problems import Handler, bad, tell_problems
from guardian_aggregator.api.unchanged import tell_unchanged
from guardian_aggregator.config import HttpLimits
from guardian_aggregator.store import Queries

ENDPOINTS: tuple[Endpoint, ...] = (
    fleet.stats,
    healing.healer_stats,
    healing.playbooks,
    mttr.mttr_by_issue_type,
    mttr.mttr_by_playbook,
    failures.failures_recent,
    osi.osi,
    hosts.hosts,
    hosts.host,
    incidents.incidents,
    incidents.incident,
    executions.executions,
    executions.execution,
    liveness.healthz,
    liveness.readyz,
)

_TEXTS = (
    ("/metrics", "Metrics for Prometheus.", "text/plain"),
    ("/openapi.json", "This description.", "application/json"),
)
_LARGEST_REQUEST = 64 * 1024

__all__ = ["ENDPOINTS", "make_application"]


def make_application(
    queries: Queries,
    *,
    now_ns: Callable[[], int] = time.time_ns,
    store_failure: Callable[[], str | None] = stores,
    tokens: TokenFile | None = None,
    limits: HttpLimits | None = None,
) -> web.Application:
    """The application; whoever made `queries` closes it.

    `now_ns`: the wall clock, in nanoseconds. `store_failure`: why the newest commit failed; None when it did not.
    `tokens`: of those who may ask; None where everybody may. `limits`: of each client; None for
    none.
    """
    metrics = Metrics()
    needed = {endpoint.path: endpoint.role for endpoint in ENDPOINTS}
    callers: list[Middleware] = [] if tokens is None else [only_callers(tokens, needed, now_ns)]
    free = {endpoint.path for endpoint in ENDPOINTS if endpoint.role is None}
    limited: list[Middleware] = []
    if limits is not None:
        limited.append(within_limits(limits.requests_per_second, limits.answer_within_s, free, time.monotonic))
    application = web.Application(
        middlewares=[metrics.observe, compress, tell_unchanged, tell_problems, *limited, _check_host, *callers],
        client_max_size=_LARGEST_REQUEST,
    )
    application[QUERIES] = queries
    application[NOW_NS] = now_ns
    application[STORE_FAILURE] = store_failure
    application.on_response_prepare.append(_add_headers)
    for endpoint in ENDPOINTS:
        application.router.add_get(endpoint.path, endpoint.respond)
    document = msgspec.json.encode(describe(ENDPOINTS, _TEXTS, tokens=tokens is not None))

    async def expose(request: web.Request) -> web.Response:
        read_all(request.query.items(), {}, ())
        return web.Response(body=await metrics.expose(queries, now_ns()), headers={"Content-Type": CONTENT_TYPE})

    async def openapi(request: web.Request) -> web.Response:
        read_all(request.query.items(), {}, ())
        return web.Response(body=document, content_type="application/json")

    application.router.add_get("/metrics", expose)
    application.router.add_get("/openapi.json", openapi)
    return application


@web.middleware
async def _check_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """HTTP/1.1 requests name one host (RFC 9112, 3.2)."""
    if len(request.headers.getall("Host", ())) != 1 and request.version >= (1, 1):
        raise bad("Host", "a request names the host that it is for, once")
    return await handler(request)


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
