"""Aggregators for tests: one that keeps the protocol, and a base for those that do not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from typing import Any

import grpc
import grpc.aio

from guardian_proto.v1 import stream_pb2 as pb
from guardian_proto.v1.records_pb2 import Record
from guardian_proto.v1.stream_pb2_grpc import FleetServicer, add_FleetServicer_to_server

Context = Any
Answer = pb.FromAggregator


def welcome(through: int = 0, credit: int = 1000, *, acting: bool = True, min_retry_ms: int = 0) -> Answer:
    message = pb.Welcome(acked_through=through, credit=credit, acting_allowed=acting, min_retry_ms=min_retry_ms)
    return Answer(welcome=message)


def ack(through: int, credit: int = 1000) -> Answer:
    return Answer(ack=pb.Ack(acked_through=through, credit=credit))


def refusal(code: pb.Refusal.Code, watermark: int = 0, detail: str = "because") -> Answer:
    return Answer(refusal=pb.Refusal(code=code, watermark=watermark, detail=detail))


class Aggregator(FleetServicer):
    """Keeps the protocol, with everything in memory. What a test wants otherwise, it overrides."""

    def __init__(self) -> None:
        self.credit = 1000
        self.lost_through = 0
        self.acting_allowed = True
        self.hellos: list[pb.Hello] = []
        self.batches: list[pb.Batch] = []
        self.refused: list[pb.Refusal.Code] = []
        self.epochs: dict[bytes, tuple[int, bytes | None]] = {}
        self.stored: dict[bytes, dict[int, Record]] = {}
        self._server: grpc.aio.Server | None = None
        self.address = ""

    async def start(self, credentials: grpc.ServerCredentials | None = None, port: int = 0) -> str:
        options = [("grpc.http2.max_ping_strikes", 0), ("grpc.so_reuseport", 0)]  # tests hurry: pings as they like
        self._server = grpc.aio.server(options=options)
        add_FleetServicer_to_server(self, self._server)
        where = f"127.0.0.1:{port}"
        bound = (
            self._server.add_secure_port(where, credentials) if credentials else self._server.add_insecure_port(where)
        )
        await self._server.start()
        self.address = f"127.0.0.1:{bound}"
        return self.address

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)

    async def Stream(self, requests: AsyncIterator[pb.FromAgent], context: Context) -> None:  # noqa: N802
        hello = (await context.read()).hello
        self.hellos.append(hello)
        await self.serve(hello, context)

    async def serve(self, hello: pb.Hello, context: Context) -> None:
        watermark, _ = self.epochs.setdefault(hello.epoch, (0, bytes(32)))
        if hello.next_seq <= watermark:
            await self.refuse(context, pb.Refusal.EPOCH_FORK, watermark)
            return
        if hello.lowest_seq > watermark + 1:
            self.lost_through = watermark = hello.lowest_seq - 1
            self.epochs[hello.epoch] = (watermark, None)
        answer = welcome(watermark, self.credit, acting=self.acting_allowed)
        answer.welcome.lost_through = self.lost_through
        await context.write(answer)
        while (message := await context.read()) is not grpc.aio.EOF:
            self.batches.append(message.batch)
            code = self.commit(hello.epoch, message.batch)
            watermark = self.epochs[hello.epoch][0]
            if code is not None:
                await self.refuse(context, code, watermark)
                return
            await self.acknowledge(context, watermark)

    async def acknowledge(self, context: Context, watermark: int) -> None:
        await context.write(ack(watermark, self.credit))

    async def refuse(self, context: Context, code: pb.Refusal.Code, watermark: int) -> None:
        self.refused.append(code)
        await context.write(refusal(code, watermark))

    def commit(self, epoch: bytes, batch: pb.Batch) -> pb.Refusal.Code | None:
        """Stores what is new in the batch; the code of a refusal, if it is one."""
        watermark, chain = self.epochs[epoch]
        if batch.first_seq > watermark + 1:
            return pb.Refusal.OUT_OF_ORDER
        seq, at_seq = batch.first_seq, batch.prev_chain
        for raw in batch.records:
            if seq == watermark + 1 and chain is not None and at_seq != chain:
                return pb.Refusal.EPOCH_FORK
            record = Record.FromString(raw)
            gap = record.WhichOneof("kind") == "gap"
            at_seq = record.gap.last_chain if gap else sha256(at_seq + raw).digest()
            last = record.gap.last_seq if gap else seq
            if seq > watermark:
                self.stored.setdefault(epoch, {})[seq] = record
                watermark, chain = last, at_seq
            elif last == watermark and chain is not None and at_seq != chain:
                return pb.Refusal.EPOCH_FORK
            seq = last + 1
        self.epochs[epoch] = (watermark, chain)
        return None

    def targets(self) -> list[str]:
        """The target of every transition stored, over all epochs, in order."""
        return [record.transition.target for one in self.stored.values() for _, record in sorted(one.items())]


class Script(Aggregator):
    """Answers with what the test says."""

    def __init__(self, answer: Callable[[pb.Hello, Context], Awaitable[None]]) -> None:
        super().__init__()
        self.answer = answer

    async def serve(self, hello: pb.Hello, context: Context) -> None:
        await self.answer(hello, context)
