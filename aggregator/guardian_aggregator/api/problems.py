"""What went wrong, told as RFC 9457 problem details."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType

import msgspec
from aiohttp import web

from guardian_aggregator.errors import GuardianError, StoreError

PROBLEM_TYPE = "application/problem+json"

_log = logging.getLogger(__name__)

NONE: Mapping[str, str] = MappingProxyType({})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is an error; `parameter` stands there when one parameter is to blame."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    parameter: str | msgspec.UnsetType = msgspec.UNSET


class Problem(GuardianError):  # noqa: N818 (an answer, not always an error of ours)
    """Ends a request with this status; the text tells the client what to do about it."""

    def __init__(
        self, status: HTTPStatus, detail: str, parameter: str | None = None, headers: Mapping[str, str] = NONE
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.parameter = parameter
        self.headers = headers


def bad(parameter: str, detail: str) -> Problem:
    """A parameter that cannot be used."""
    return Problem(HTTPStatus.BAD_REQUEST, detail, parameter)


def missing(detail: str) -> Problem:
    """Something that is not there."""
    return Problem(HTTPStatus.NOT_FOUND, detail)


@web.middleware
async def tell_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns whatever a handler raises into problem details; what is our own fault is logged, never shown."""
    try:
        return await handler(request)
    except Problem as problem:
        response = _answer(request, problem.status, str(problem), problem.parameter)
        response.headers.update(problem.headers)
        return response
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        response = _answer(request, HTTPStatus(error.status), _explain(request, error))
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except StoreError as error:
        _log.error("%s %s: %s", request.method, request.path, error)
        return _answer(request, HTTPStatus.SERVICE_UNAVAILABLE, "the store does not answer; see the aggregator's log")
    except Exception:  # noqa: BLE001 (a handler's error ends one request, not the process)
        _log.exception("%s %s failed", request.method, request.path)
        return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, "an error of ours; see the aggregator's log")


def _explain(request: web.Request, error: web.HTTPException) -> str:
    if isinstance(error, web.HTTPMethodNotAllowed):
        return f"{request.method} is not for this path; allowed: {', '.join(sorted(error.allowed_methods))}"
    if isinstance(error, web.HTTPNotFound):
        return "nothing is served at this path; /openapi.json lists what is"
    return error.reason


def _answer(request: web.Request, status: HTTPStatus, detail: str, parameter: str | None = None) -> web.Response:
    details = ProblemDetails(
        type="about:blank",
        title=status.phrase,
        status=status,
        detail=detail,
        instance=request.path,
        parameter=msgspec.UNSET if parameter is None else parameter,
    )
    return web.Response(status=status, body=msgspec.json.encode(details), content_type=PROBLEM_TYPE)
