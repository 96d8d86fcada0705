"""The stream: all that was recorded arrives, once and in order."""

import asyncio
from itertools import pairwise
from pathlib import Path

import grpc.aio
import msgspec
import pytest
from tests.agent.state.samples import Clock, execution, incident, transition
from tests.agent.uplink.agents import Agent, hello_facts, named, until
from tests.agent.uplink.aggregators import Aggregator, Context, Script, welcome

from guardian_agent.model import Outcome
from guardian_agent.state import Limits, State
from guardian_agent.uplink import Pace, encode
from guardian_proto.v1 import stream_pb2 as pb


async def test_everything_arrives_once_and_leaves_the_outbox(state: State, serve) -> None:
    aggregator = Aggregator()
    agent = Agent(state, await serve(aggregator))
    await agent.submit(*range(1200))
    async with agent.running():
        await agent.drained()
        await agent.submit(*range(1200, 1300))
        await agent.drained()
        assert agent.uplink.connected
    assert aggregator.targets() == named(*range(1300))
    assert max(len(batch.records) for batch in aggregator.batches) == 500
    assert not agent.uplink.connected


async def test_hello_says_who_where_and_how(state: State, serve) -> None:
    aggregator = Aggregator()
    agent = Agent(state, await serve(aggregator))
    await agent.submit(1, 2)
    async with agent.running():
        await agent.drained()
    (hello,) = aggregator.hellos
    assert (hello.agent_id, hello.epoch) == ("web-1", state.outbox.bounds().epoch)
    assert (hello.lowest_seq, hello.next_seq) == (1, 3)
    assert (hello.agent_version, hello.protocol_version, hello.mode) == ("0.1.0", "1", "heal")
    assert (dict(hello.labels), list(hello.targets)) == ({"site": "ams"}, ["web"])
    assert hello.now.boot_id == "boot-1"
    (playbook,) = hello.playbooks
    assert (playbook.id, playbook.family, playbook.tier) == ("restart_service", "auto_heal", 1)
    assert (playbook.executions, playbook.successes, playbook.failures) == (3, 2, 1)


async def test_the_bytes_sent_are_the_bytes_stored(state: State, serve) -> None:
    aggregator = Aggregator()
    agent = Agent(state, await serve(aggregator))
    await agent.submit(1, 2, 3)
    stored = await state.outbox.batch(0, 10, 1 << 20)
    async with agent.running():
        await agent.drained()
    assert [record for batch in aggregator.batches for record in batch.records] == stored.records


async def test_no_more_is_under_way_than_the_credit(state: State, serve) -> None:
    class Counting(Aggregator):
        most = 0

        async def acknowledge(self, context: Context, watermark: int) -> None:
            await asyncio.sleep(0.01)
            await super().acknowledge(context, watermark)

        def commit(self, epoch: bytes, batch: pb.Batch) -> pb.Refusal.Code | None:
            through = self.epochs[epoch][0]
            self.most = max(self.most, batch.first_seq + len(batch.records) - 1 - through)
            return super().commit(epoch, batch)

    aggregator = Counting()
    aggregator.credit = 7
    agent = Agent(state, await serve(aggregator))
    await agent.submit(*range(40))
    async with agent.running():
        await agent.drained()
    assert aggregator.most == 7
    assert aggregator.targets() == named(*range(40))


async def test_batches_stay_below_a_megabyte(state: State, serve) -> None:
    aggregator = Aggregator()
    agent = Agent(state, await serve(aggregator))
    await asyncio.gather(*(state.submit(transition(n, {"number": n, "log": "x" * 200_000})) for n in range(12)))
    async with agent.running():
        await agent.drained()
    assert max(batch.ByteSize() for batch in aggregator.batches) < (1 << 20) + 4096
    assert len(aggregator.targets()) == 12


async def test_after_a_lost_connection_it_goes_on_behind_the_watermark(state: State, serve) -> None:
    class Forgetful(Aggregator):
        """Commits the first batch, and is cut off before it can say so."""

        async def acknowledge(self, context: Context, watermark: int) -> None:
            if len(self.hellos) == 1:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "cut off")
            await super().acknowledge(context, watermark)

    aggregator = Forgetful()
    agent = Agent(state, await serve(aggregator))
    await agent.submit(1, 2, 3)
    async with agent.running():
        await agent.drained()
        await agent.submit(4)
        await agent.drained()
    assert aggregator.targets() == named(1, 2, 3, 4)
    assert [batch.first_seq for batch in aggregator.batches] == [1, 4]


async def test_what_an_earlier_process_sent_is_deleted_when_the_chain_is_proven(tmp_path: Path, serve) -> None:
    class Silent(Aggregator):
        async def acknowledge(self, context: Context, watermark: int) -> None:
            if len(self.hellos) > 1:
                await super().acknowledge(context, watermark)

    aggregator = Silent()
    address = await serve(aggregator)
    first = Agent(await State.open(tmp_path, encode, Clock(), reserve_bytes=0), address, Pace())
    await first.submit(1, 2, 3)
    async with first.running():
        await until(lambda: len(aggregator.targets()) == 3)
    assert first.waiting == 3
    await first.state.close()
    second = Agent(await State.open(tmp_path, encode, Clock(), reserve_bytes=0), address)
    async with second.running():
        await second.drained()
    assert [(batch.first_seq, len(batch.records)) for batch in aggregator.batches] == [(1, 3), (3, 1)]
    assert aggregator.targets() == named(1, 2, 3)
    await second.state.close()


async def test_a_restored_host_loses_nothing(tmp_path: Path, serve, caplog: pytest.LogCaptureFixture) -> None:
    """Two states from one image: the second wrote other records under seqs that the first had sent."""
    aggregator = Aggregator()
    address = await serve(aggregator)
    original = await State.open(tmp_path / "one", encode, Clock(), reserve_bytes=0)
    await original.submit(transition(1))
    await original.close()
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "state.db").write_bytes((tmp_path / "one" / "state.db").read_bytes())
    for folder, numbers in (("one", (2, 3, 4)), ("two", (12, 13, 14, 15))):
        agent = Agent(await State.open(tmp_path / folder, encode, Clock(), reserve_bytes=0), address)
        await agent.submit(*numbers)
        async with agent.running():
            await agent.drained()
        await agent.state.close()
    assert aggregator.refused == [pb.Refusal.EPOCH_FORK]
    assert len(aggregator.epochs) == 2
    assert aggregator.targets() == named(1, 2, 3, 4, 1, 12, 13, 14, 15)
    assert "cloned or restored" in caplog.text


async def test_a_new_aggregator_that_has_nothing_gets_what_is_left(state: State, serve) -> None:
    first = Aggregator()
    agent = Agent(state, await serve(first))
    await agent.submit(1, 2)
    async with agent.running():
        await agent.drained()
        await first.stop()
        await agent.submit(3)
        second = Aggregator()
        await serve(second, port=int(first.address.rpartition(":")[2]))
        await agent.drained()
    assert second.hellos[0].lowest_seq == 3
    assert second.targets() == named(3)


async def test_an_aggregator_that_lost_what_it_had_is_told_again_how_incidents_ended(state: State, serve) -> None:
    first = Aggregator()
    agent = Agent(state, await serve(first))
    closed = incident("i-1", closed=True)
    await state.submit(closed)
    await state.submit(execution("x-1", Outcome.HEALED, "restart_component"))
    async with agent.running():
        await agent.drained()
        await first.stop()
        second = Aggregator()
        await serve(second, port=int(first.address.rpartition(":")[2]))
        await until(lambda: second.stored)
        await agent.drained()
    (stored,) = second.stored.values()
    assert [record.WhichOneof("kind") for _, record in sorted(stored.items())] == ["incident", "execution"]
    assert (await state.counters())["restart_component"].executions == 1  # told again, not counted again


async def test_another_name_begins_another_epoch(state: State, serve) -> None:
    aggregator = Aggregator()
    agent = Agent(state, await serve(aggregator))
    await agent.submit(1, 2)
    async with agent.running():
        await agent.drained()
    renamed = Agent(state, aggregator.address, facts=msgspec.structs.replace(hello_facts(), agent_id="web-2"))
    await renamed.submit(3)
    async with renamed.running():
        await renamed.drained()
    before, after = aggregator.hellos
    assert before.epoch != after.epoch
    assert (after.agent_id, after.lowest_seq, after.next_seq) == ("web-2", 1, 2)


async def test_gaps_are_sent_in_their_place(tmp_path: Path, serve) -> None:
    aggregator = Aggregator()
    state = await State.open(tmp_path, encode, Clock(), limits=Limits(rows=2), reserve_bytes=0)
    agent = Agent(state, await serve(aggregator))
    await agent.submit(*range(10))
    async with agent.running():
        await agent.drained()
        await agent.submit(10)
        await agent.drained()
    (stored,) = aggregator.stored.values()
    assert sorted(stored) == [1, 9, 10, 11]
    assert (stored[1].gap.first_seq, stored[1].gap.last_seq, dict(stored[1].gap.counts)) == (1, 8, {"transition": 8})
    await state.close()


async def test_leave_to_act_is_told_and_remembered(tmp_path: Path, serve) -> None:
    aggregator = Aggregator()
    aggregator.acting_allowed = False
    state = await State.open(tmp_path, encode, Clock(), reserve_bytes=0)
    agent = Agent(state, await serve(aggregator))
    before = agent.uplink.acting_allowed
    assert before is None
    async with agent.running():
        await until(lambda: agent.heard)
    assert (agent.heard, agent.uplink.acting_allowed) == ([False], False)
    await aggregator.stop()
    await state.close()
    state = await State.open(tmp_path, encode, Clock(), reserve_bytes=0)
    offline = Agent(state, aggregator.address)
    async with offline.running():
        await until(lambda: offline.heard)
    assert offline.heard == [False]
    await state.close()


async def test_the_aggregators_wish_for_patience_is_kept(state: State, serve) -> None:
    times: list[float] = []

    async def answer(_: pb.Hello, context: Context) -> None:
        times.append(asyncio.get_running_loop().time())
        await context.write(welcome(min_retry_ms=300))

    agent = Agent(state, await serve(Script(answer)))
    async with agent.running():
        await until(lambda: len(times) >= 3)
    assert all(later - earlier >= 0.3 for earlier, later in pairwise(times))


async def test_an_idle_uplink_leaves_the_database_alone(state: State, serve, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent(state, await serve(Aggregator()))
    await agent.submit(1)
    async with agent.running():
        await agent.drained()
        await asyncio.sleep(0.05)
        reads = 0
        run = state._database.run_then

        def counted(*arguments):
            nonlocal reads
            reads += 1
            return run(*arguments)

        monkeypatch.setattr(state._database, "run_then", counted)
        await asyncio.sleep(0.5)
        assert reads == 0
