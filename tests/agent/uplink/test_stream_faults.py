"""The stream, when the other side is wrong or gone: a line in the log and a retry, nothing lost, nothing deleted."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import grpc.aio
import pytest
from tests.agent.uplink.agents import QUICK, Agent, named, until
from tests.agent.uplink.aggregators import Aggregator, Context, Script, ack, refusal, welcome

from guardian_agent.state import State
from guardian_agent.uplink import Pace
from guardian_agent.uplink.flight import MAX_CREDIT
from guardian_proto.v1 import stream_pb2 as pb


async def test_out_of_order_is_answered_with_what_is_missing(state: State, serve) -> None:
    class Doubtful(Aggregator):
        """Says at first that it misses what it was sent before."""

        async def serve(self, hello: pb.Hello, context: Context) -> None:
            if len(self.hellos) == 1:
                await context.write(welcome(2))
                await context.read()
                await self.refuse(context, pb.Refusal.OUT_OF_ORDER, 0)
            else:
                await super().serve(hello, context)

    aggregator = Doubtful()
    agent = Agent(state, await serve(aggregator))
    await agent.submit(1, 2, 3)
    async with agent.running():
        await agent.drained()
    assert aggregator.targets() == named(1, 2, 3)


@pytest.mark.parametrize(
    "code", [pb.Refusal.WRONG_IDENTITY, pb.Refusal.BOTH_REFUSED, pb.Refusal.MALFORMED, pb.Refusal.SUPERSEDED]
)
async def test_a_refusal_is_said_once_and_waited_for_long(
    state: State, serve, caplog: pytest.LogCaptureFixture, code: pb.Refusal.Code
) -> None:
    times: list[float] = []

    async def refuse(_: pb.Hello, context: Context) -> None:
        times.append(asyncio.get_running_loop().time())
        await context.write(refusal(code, detail="not you"))

    agent = Agent(state, await serve(Script(refuse)))
    await agent.submit(1)
    with caplog.at_level(logging.WARNING):
        async with agent.running():
            await until(lambda: len(times) >= 4)
    line = f"refused by the aggregator: {pb.Refusal.Code.Name(code)}: not you"
    assert caplog.text.count(line) == 1
    assert agent.uplink.last_error == line
    assert all(later - earlier >= QUICK.refused_s / 2 for earlier, later in pairwise(times))
    assert agent.waiting == 1


async def _say(context: Context, *answers: pb.FromAggregator) -> None:
    for answer in answers:
        await context.write(answer)
    await context.read()
    await asyncio.sleep(0.2)


NONSENSE = {
    "welcome beyond the last record": ([welcome(4)], "says it has record 4"),
    "no credit": ([welcome(0, 0)], "no credit"),
    "boundless credit": ([welcome(0, MAX_CREDIT + 1)], "grants credit for"),
    "no welcome": ([ack(0)], "no welcome"),
    "nothing at all in it": ([pb.FromAggregator()], "no welcome"),
    "two welcomes": ([welcome(), welcome()], "welcomes twice"),
    "ack beyond what was sent": ([welcome(), ack(4)], "which was not sent"),
    "ack of all numbers": ([welcome(), ack(2**64 - 1)], "which was not sent"),
    "boundless credit later": ([welcome(), ack(0, 2**32 - 1)], "grants credit for"),
    "no credit later": ([welcome(0, 2), ack(0, 0)], "no credit"),
}


@pytest.mark.parametrize("case", NONSENSE)
async def test_nonsense_deletes_nothing_and_costs_one_line(
    state: State, serve, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    answers, line = NONSENSE[case]
    aggregator = Script(lambda _, context: _say(context, *answers))
    agent = Agent(state, await serve(aggregator))
    if case != "no credit later":
        await agent.submit(1, 2, 3)
    before = agent.waiting
    with caplog.at_level(logging.WARNING):
        async with agent.running():
            await until(lambda: len(aggregator.hellos) >= 3)
    assert agent.waiting == before
    warnings = [record.message for record in caplog.records]
    assert sum(line in message for message in warnings) == 1
    assert len(warnings) <= 2


async def test_an_acknowledgement_taken_back_ends_the_stream(state: State, serve) -> None:
    async def answer(_: pb.Hello, context: Context) -> None:
        await context.write(welcome(0, 2))
        await context.read()
        await context.write(ack(2))
        await context.read()
        await context.write(ack(1))
        await asyncio.sleep(1)

    aggregator = Script(answer)
    agent = Agent(state, await serve(aggregator))
    await agent.submit(1, 2, 3)
    async with agent.running():
        await until(lambda: "after it had acknowledged 2" in agent.uplink.last_error)
    assert agent.waiting == 1


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """The address of a TCP server; at the end nothing of it is left."""
    tasks: list[asyncio.Task[None]] = []

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        try:
            await handler(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # the aborted transports close


async def test_a_web_server_on_the_port_is_a_line_and_a_retry(state: State) -> None:
    connections = 0

    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with listening(http) as address:
        agent = Agent(state, address)
        await agent.submit(1)
        async with agent.running():
            await until(lambda: connections >= 2 and agent.uplink.last_error)
    assert agent.waiting == 1
    assert not agent.uplink.connected


async def test_a_server_that_says_nothing_is_left(state: State) -> None:
    async with listening(lambda *_: asyncio.sleep(30)) as address:
        agent = Agent(state, address, Pace(welcome_s=0.3))
        async with agent.running():
            await until(lambda: agent.uplink.last_error)


@pytest.mark.parametrize("code", list(grpc.StatusCode))
async def test_whatever_status_ends_the_stream_it_is_tried_again(state: State, serve, code: grpc.StatusCode) -> None:
    class Aborting(Aggregator):
        async def serve(self, hello: pb.Hello, context: Context) -> None:
            if len(self.hellos) == 1:
                if code is grpc.StatusCode.OK:
                    return
                await context.abort(code, "no")
            await super().serve(hello, context)

    aggregator = Aborting()
    agent = Agent(state, await serve(aggregator))
    await agent.submit(1)
    async with agent.running():
        await agent.drained()
    assert aggregator.targets() == named(1)


async def test_a_silent_aggregator_is_left_when_acknowledgements_stay_away(state: State, serve) -> None:
    async def answer(_: pb.Hello, context: Context) -> None:
        await context.write(welcome())
        await asyncio.sleep(5)

    agent = Agent(state, await serve(Script(answer)))
    await agent.submit(1)
    async with agent.running():
        await until(lambda: "unacknowledged" in agent.uplink.last_error)


async def test_messages_of_a_later_version_are_passed_over(state: State, serve) -> None:
    class Later(Aggregator):
        async def acknowledge(self, context: Context, watermark: int) -> None:
            await context.write(pb.FromAggregator.FromString(b"\xfa\x01\x02ab"))
            await super().acknowledge(context, watermark)

    agent = Agent(state, await serve(Later()))
    await agent.submit(1)
    async with agent.running():
        await agent.drained()
        assert agent.uplink.connected


async def test_a_cut_cable_is_noticed(state: State, serve) -> None:
    """A relay between the two stops passing anything on, without closing a connection."""
    host, _, port = (await serve(Aggregator())).rpartition(":")
    cut = asyncio.Event()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not cut.is_set():
                writer.write(data)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(host, int(port))
        try:
            await asyncio.gather(pass_on(reader, forth), pass_on(back, writer))
        finally:
            forth.transport.abort()

    async with listening(relay) as address:
        agent = Agent(state, address, Pace(ping_s=0.2, pong_s=0.2))
        async with agent.running():
            await until(lambda: agent.uplink.connected)
            cut.set()
            await until(lambda: not agent.uplink.connected)
