"""Who asks, and may they? Bearer tokens (RFC 6750)."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Middleware

from guardian_aggregator.access import Role, TokenFile
from guardian_aggregator.api.problems import Handler, Problem
from guardian_aggregator.errors import GuardianError

_log = logging.getLogger(__name__)

SCHEME = "Bearer"


def only_callers(tokens: TokenFile, needed: Mapping[str, Role | None], now_ns: Callable[[], int]) -> Middleware:
    """Lets nobody through who does not show a token whose role covers what the path needs.

    `needed`: by the path of the route, None for everybody; whatever is not named needs a viewer, also a path at which
    nothing is served, so that nobody learns what there is.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        role = needed.get(resource.canonical, Role.VIEWER) if resource is not None else Role.VIEWER
        if role is not None:
            await _check(request, tokens, role, now_ns() / 1e9)
        return await handler(request)

    return check


async def _check(request: web.Request, tokens: TokenFile, needed: Role, now_s: float) -> None:
    told = request.headers.getall("Authorization", [])
    if not told:
        raise _unknown("this needs a token: Authorization: Bearer …; `guardian-aggregator token create` makes one")
    scheme, _, presented = told[0].partition(" ")
    if len(told) > 1 or scheme.lower() != SCHEME.lower():
        raise _unknown("one Authorization header is taken, with a bearer token")
    try:
        holder = await asyncio.to_thread(tokens.holder, presented.strip(), now_s)
    except GuardianError as error:
        _log.error("nobody can be told apart: %s", error)
        detail = "the tokens cannot be read; see the aggregator's log"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail) from error
    if holder is None:
        raise _unknown("this token is not known here, was revoked or has expired", error="invalid_token")
    if not holder.role.covers(needed):
        detail = f"this needs the role {needed}, and {holder.name} is a {holder.role}"
        challenge = f'{SCHEME} realm="guardian", error="insufficient_scope", scope="{needed}"'
        raise Problem(HTTPStatus.FORBIDDEN, detail, headers={"WWW-Authenticate": challenge})


def _unknown(detail: str, error: str = "") -> Problem:
    challenge = f'{SCHEME} realm="guardian"' + (f', error="{error}"' if error else "")
    return Problem(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge})
