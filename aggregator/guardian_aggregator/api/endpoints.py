"""Handlers as data: a path, its parameters and its answer, from which both routes and OpenAPI are made."""

from collections.abc import Awaitable, Callable
from inspect import cleandoc
from typing import get_type_hints
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from guardian_aggregator.access import Role
from guardian_aggregator.api.call import Call
from guardian_aggregator.api.parameters import Parameter, read_all
from guardian_aggregator.store import Queries

Answer = msgspec.Struct
Handler = Callable[[Call], Awaitable[Answer]]

QUERIES = web.AppKey("queries", Queries)
NOW_NS: web.AppKey[Callable[[], int]] = web.AppKey("now_ns")
STORE_FAILURE: web.AppKey[Callable[[], str | None]] = web.AppKey("store_failure")


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One GET: `answer` is the struct that it sends, `summary` the first line of its handler's docstring, `role` what
    whoever asks must be at least; None for everybody."""

    path: str
    parameters: tuple[Parameter, ...]
    answer: type[Answer]
    name: str
    summary: str
    handler: Handler
    role: Role | None

    async def respond(self, request: web.Request) -> web.Response:
        """Reads the parameters, asks the handler and sends its answer as JSON."""
        values = read_all(request.query.items(), request.match_info, self.parameters)
        asked = sorted((name, text) for name, text in request.query.items() if name not in {"limit", "cursor"})
        call = Call(
            queries=request.app[QUERIES],
            now_ns=request.app[NOW_NS](),
            scope=f"{request.path}?{urlencode(asked, errors='surrogatepass')}",
            values=values,
            store_failure=request.app[STORE_FAILURE],
        )
        answer = await self.handler(call)
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def endpoint(path: str, *parameters: Parameter, role: Role | None = Role.VIEWER) -> Callable[[Handler], Endpoint]:
    """Makes an endpoint of a handler; what it is annotated to return is what the API promises."""

    def make(handler: Handler) -> Endpoint:
        return Endpoint(
            path=path,
            parameters=parameters,
            answer=get_type_hints(handler)["return"],
            name=handler.__name__,
            summary=cleandoc(handler.__doc__ or "").partition("\n")[0],
            handler=handler,
            role=role,
        )

    return make
