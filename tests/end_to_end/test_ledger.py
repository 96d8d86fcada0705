"""Nothing is lost and nothing is stored twice: an outside ledger of every acknowledged seq against the database."""

import asyncio
import random
import shutil
import sqlite3

import grpc
import grpc.aio
import pytest
from tests.aggregator.ingest import process
from tests.aggregator.ingest.outbox import AgentEnd, Outbox, batch, connected, page, transition

from guardian_proto.v1 import stream_pb2

KILLS = 10
AGENTS = 3
RECORDS_AHEAD = 400  # in flight or waiting


class StreamingAgent:
    """Streams for ever, sends again what was not acknowledged, and writes down all that was."""

    def __init__(self, number: int) -> None:
        self.outbox = Outbox(f"host-{number}", bytes([number]) * 16)
        self.acked = 0
        self.acks = asyncio.Event()
        self.stopping = False
        self._random = random.Random(number)

    async def run(self, address: str) -> None:
        while not (self.stopping and self.acked == self.outbox.last_seq):
            try:
                async with connected(address) as end:
                    await self._stream(end)
            except (grpc.aio.AioRpcError, AssertionError):
                await asyncio.sleep(0.02)  # killed; its port is not open again yet

    async def _stream(self, end: AgentEnd) -> None:
        watermark = await end.greet(self.outbox, lowest_seq=self.acked + 1)
        if watermark < self.acked:
            pytest.fail(f"{self.acked} were acknowledged, {watermark} are left")
        self._acknowledge(watermark)
        sending = asyncio.ensure_future(self._send(end, watermark + 1))
        try:
            while not (self.stopping and self.acked == self.outbox.last_seq):
                answer = await end.answer()
                if answer.WhichOneof("message") != "ack":
                    pytest.fail(f"refused: {answer}")
                self._acknowledge(answer.ack.acked_through)
        finally:
            sending.cancel()
            await asyncio.wait([sending])

    async def _send(self, end: AgentEnd, seq: int) -> None:
        while True:
            count = self._random.randint(1, 30)
            while not self.stopping and self.outbox.last_seq < seq + count - 1:
                number = self.outbox.last_seq + 1
                self.outbox.add(transition(evidence=f'{{"number": {number}}}', second=number))
            rows = self.outbox.rows[seq - 1 : seq - 1 + count]
            if not rows:
                return
            before = self.outbox.rows[seq - 2][3] if seq > 1 else bytes(32)
            await end.call.write(batch(seq, before, [row[2] for row in rows]))
            seq += len(rows)
            while seq - self.acked > RECORDS_AHEAD:
                self.acks.clear()
                await self.acks.wait()

    def _acknowledge(self, seq: int) -> None:
        self.acked = max(self.acked, seq)
        self.acks.set()


async def test_an_aggregator_killed_again_and_again_loses_nothing_and_stores_nothing_twice(tmp_path):
    chance = random.Random(7)
    agents = [StreamingAgent(number) for number in range(AGENTS)]
    aggregator = await process.start(process.write_config(tmp_path))
    config = process.write_config(tmp_path, grpc=aggregator.grpc)
    streaming = [asyncio.ensure_future(agent.run(aggregator.grpc)) for agent in agents]
    for _ in range(KILLS):
        for agent in agents:  # each has been acknowledged something since the last kill
            agent.acks.clear()
            await asyncio.wait_for(agent.acks.wait(), 10)
        await asyncio.sleep(chance.uniform(0.0, 0.25))
        await aggregator.kill()
        aggregator = await process.start(config)
    for agent in agents:
        agent.stopping = True
    await asyncio.wait_for(asyncio.gather(*streaming), 20)
    assert await aggregator.stop() == 0

    stored = sqlite3.connect(tmp_path / "state" / "guardian.db")
    for agent in agents:
        sql = "SELECT seq, raw FROM records JOIN streams USING (stream) WHERE agent_id = ? ORDER BY seq"
        rows = stored.execute(sql, (agent.outbox.agent_id,)).fetchall()
        assert agent.acked == agent.outbox.last_seq > 0
        assert rows == [(first, raw) for first, _, raw, _ in agent.outbox.rows]
        sql = "SELECT json_extract(evidence, '$.number') FROM transitions WHERE agent_id = ? ORDER BY 1"
        seen = [number for (number,) in stored.execute(sql, (agent.outbox.agent_id,))]
        assert seen == list(range(1, agent.acked + 1))
    assert stored.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    stored.close()


async def test_an_aggregator_restored_from_an_older_copy_names_what_it_lost_and_goes_on(tmp_path):
    config = process.write_config(tmp_path)
    state, backup = tmp_path / "state", tmp_path / "backup"
    outbox = Outbox()
    outbox.add(*(page(number) for number in range(1, 31)))
    for through in (10, 20):
        async with process.running(config) as aggregator, connected(aggregator.grpc) as agent:
            acked = await agent.greet(outbox, lowest_seq=through - 9)
            assert await agent.send(outbox.batch(acked + 1, 10)) == through
            assert await aggregator.stop() == 0
        if through == 10:
            shutil.copytree(state, backup)
    shutil.rmtree(state)
    backup.rename(state)
    async with process.running(config) as aggregator, connected(aggregator.grpc) as agent:
        assert await agent.greet(outbox, lowest_seq=21) == 20
        assert await agent.send(outbox.batch(21, 10)) == 30
        assert await aggregator.stop() == 0
    stored = sqlite3.connect(state / "guardian.db")
    gaps = stored.execute("SELECT first_seq, last_seq, reason FROM gaps").fetchall()
    seqs = [seq for (seq,) in stored.execute("SELECT seq FROM records ORDER BY seq")]
    stored.close()
    assert gaps == [(11, 20, "lost_by_server")]
    assert seqs == [*range(1, 11), *range(21, 31)]


async def test_nonsense_on_the_port_disturbs_nobody(tmp_path):
    async with process.running(process.write_config(tmp_path)) as aggregator:
        host, port = aggregator.grpc.rsplit(":", 1)
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.1\r\n\r\n" + bytes(5000))
        await writer.drain()
        outbox = Outbox()
        outbox.add(page(1))
        async with connected(aggregator.grpc) as agent:
            refusal = await agent.refused(stream_pb2.FromAgent().SerializeToString())
            assert agent.code(refusal) == "MALFORMED"
        async with connected(aggregator.grpc) as agent:
            await agent.greet(outbox)
            assert await agent.send(outbox.batch(1, 1)) == 1
        writer.close()
        assert await aggregator.stop() == 0
