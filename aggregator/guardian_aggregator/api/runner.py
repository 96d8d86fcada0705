"""Runs the application so that also what aiohttp's parser refuses is told as problem details."""

import logging
from http import HTTPStatus

import msgspec
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from guardian_aggregator.api.problems import PROBLEM_TYPE, ProblemDetails

_log = logging.getLogger(__name__)


class _Handler(RequestHandler):
    """One connection. A request that is none is the client's fault: one line of debug, no traceback."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        _log.debug("refused a request of %s: %s", request.remote, exc)
        details = ProblemDetails(
            type="about:blank",
            title=HTTPStatus(status).phrase,
            status=status,
            detail="what came is no HTTP request that can be read",
            instance="",
        )
        response = web.Response(status=status, body=msgspec.json.encode(details), content_type=PROBLEM_TYPE)
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """An AppRunner whose connections are ours; aiohttp has no option for that."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _Server
        return server
