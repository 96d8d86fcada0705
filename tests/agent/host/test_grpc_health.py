"""A real gRPC server on loopback, whose health service says what a test wants."""

import asyncio
import socket
from contextlib import asynccontextmanager

import grpc
import pytest

from guardian_agent.host.clients import LocalClients
from guardian_agent.model import Endpoint


@asynccontextmanager
async def serving(answer):
    """`answer(request, context)` is awaited for the bytes to answer."""
    asked = []

    async def check(request, context):
        asked.append(request)
        return await answer(request, context)

    handler = grpc.unary_unary_rpc_method_handler(check)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield Endpoint("127.0.0.1", port), asked
    finally:
        await server.stop(None)


def says(data):
    async def answer(_request, _context):
        return data

    return answer


@pytest.mark.parametrize(
    ("data", "serving_"),
    [(b"\x08\x01", "SERVING"), (b"\x08\x02", "NOT_SERVING"), (b"", "UNKNOWN"), (b"\x08\x09", "status 9")],
)
async def test_what_the_service_says(data, serving_):
    async with serving(says(data)) as (endpoint, asked):
        answer = await LocalClients().grpc_health(endpoint, "shop", 5.0)
    assert (answer.answer.connected, answer.code, answer.serving) == (True, "OK", serving_)
    assert asked == [b"\x0a\x04shop"]


async def test_the_server_as_a_whole_has_no_name_and_a_long_one_is_whole():
    async with serving(says(b"\x08\x01")) as (endpoint, asked):
        await LocalClients().grpc_health(endpoint, "", 5.0)
        await LocalClients().grpc_health(endpoint, "x" * 300, 5.0)
    assert asked == [b"", b"\x0a\xac\x02" + b"x" * 300]


async def test_an_error_has_its_code():
    async def answer(_request, context):
        await context.abort(grpc.StatusCode.NOT_FOUND, "no shop here")

    async with serving(answer) as (endpoint, _):
        answer = await LocalClients().grpc_health(endpoint, "shop", 5.0)
    assert (answer.code, answer.reason, answer.serving) == ("NOT_FOUND", "no shop here", "")


async def test_silence_is_a_missed_deadline():
    async def answer(_request, _context):
        await asyncio.sleep(600)

    async with serving(answer) as (endpoint, _):
        assert (await LocalClients().grpc_health(endpoint, "", 0.2)).code == "DEADLINE_EXCEEDED"


async def test_a_frozen_server_is_a_missed_deadline_too():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        endpoint = Endpoint(*listening.getsockname())
        answer = await LocalClients().grpc_health(endpoint, "", 0.2)
    assert (answer.answer.connected, answer.code) == (True, "DEADLINE_EXCEEDED")
    assert (await LocalClients().grpc_health(endpoint, "", 0.2)).answer.refused
