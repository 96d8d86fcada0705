"""The write side: greeting, committing many streams at once, and starting again."""

import asyncio
from typing import Unpack

import apsw
import pytest
from tests.aggregator.ingest.outbox import NOW_NS, HelloFields, Outbox, page

from guardian_aggregator.errors import Refused, StoreError
from guardian_aggregator.ingest import codec
from guardian_aggregator.model import StreamId
from guardian_aggregator.store import Filter, Queries, Store


def hello(outbox: Outbox, **fields: Unpack[HelloFields]):
    return codec.read_hello(codec.read_message(outbox.hello(**fields)))


def batch(outbox: Outbox, first: int, count: int):
    stream = StreamId(outbox.agent_id, outbox.epoch)
    return codec.read_batch(codec.read_message(outbox.batch(first, count)), stream, NOW_NS, 1000)


async def test_many_streams_share_a_commit(store, queries):
    outboxes = [Outbox(f"host-{number}") for number in range(60)]
    for outbox in outboxes:
        outbox.add(*(page(number, outbox.agent_id) for number in range(1, 11)))
    await asyncio.gather(*(store.greet(hello(outbox), NOW_NS) for outbox in outboxes))
    before = (await queries.counters()).commits
    each = [store.commit([batch(outbox, 1, 10)], NOW_NS) for outbox in outboxes]
    assert await asyncio.gather(*each) == [[10]] * 60
    counters = await queries.counters()
    assert (counters.batches, counters.records) == (60, {"page": 600})
    assert counters.commits - before <= 30
    assert {row.watermark for row in await queries.agents()} == {10}


async def test_of_several_batches_each_is_whole_or_not_at_all(store, queries):
    good, forked = Outbox("good"), Outbox("forked")
    for outbox in (good, forked):
        outbox.add(*(page(number, outbox.agent_id) for number in range(1, 6)))
        await store.greet(hello(outbox), NOW_NS)
    outcomes = await store.commit([batch(good, 1, 2), batch(forked, 3, 2), batch(good, 3, 2)], NOW_NS)
    assert [outcome if isinstance(outcome, int) else outcome.code for outcome in outcomes] == [2, "OUT_OF_ORDER", 4]
    assert len(await queries.pages(Filter(), 20)) == 4


async def test_records_of_a_stream_that_was_never_greeted_are_refused(store):
    outbox = Outbox()
    outbox.add(page(1))
    (outcome,) = await store.commit([batch(outbox, 1, 1)], NOW_NS)
    assert isinstance(outcome, Refused)


async def test_watermark_and_chain_outlive_the_process(tmp_path):
    outbox = Outbox()
    outbox.add(*(page(number) for number in range(1, 11)))
    for first in (1, 6):
        store = Store(tmp_path / "g.db")
        assert await store.greet(hello(outbox), NOW_NS) == (first - 1, 0)
        assert await store.commit([batch(outbox, first, 5)], NOW_NS) == [first + 4]
        store.close()


async def test_who_was_connected_when_the_process_died_is_not_any_more(tmp_path):
    store = Store(tmp_path / "g.db")
    await store.greet(hello(Outbox()), NOW_NS)
    store.close()
    store = Store(tmp_path / "g.db")
    queries = Queries(store.path)
    assert [row.connected for row in await queries.agents()] == [False]
    queries.close()
    store.close()


async def test_a_fork_at_hello_leaves_the_host_as_it_was(store, queries):
    outbox = Outbox()
    outbox.add(page(1))
    await store.greet(hello(outbox, mode="observe"), NOW_NS)
    await store.commit([batch(outbox, 1, 1)], NOW_NS)
    with pytest.raises(Refused, match="next record is 1"):
        await store.greet(hello(outbox, next_seq=1, mode="heal"), NOW_NS)
    assert [row.mode for row in await queries.agents()] == ["observe"]


async def test_after_a_gap_of_the_server_the_chain_is_taken_from_the_agent(store):
    outbox, fork = Outbox(), Outbox()
    for number in range(1, 11):
        outbox.add(page(number))
        fork.add(page(number, "fork"))
    assert await store.greet(hello(outbox, lowest_seq=6), NOW_NS) == (5, 5)
    assert await store.greet(hello(outbox, lowest_seq=6), NOW_NS) == (5, 5)
    assert await store.commit([batch(outbox, 6, 2)], NOW_NS) == [7]
    (outcome,) = await store.commit([batch(fork, 8, 2)], NOW_NS)
    assert isinstance(outcome, Refused)
    assert outcome.code == "EPOCH_FORK"


async def test_a_closed_store_takes_nothing(tmp_path):
    store = Store(tmp_path / "g.db")
    store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.greet(hello(Outbox()), NOW_NS)
    store.close()


async def test_a_batch_below_the_watermark_is_compared_with_what_is_stored(store):
    outbox, fork = Outbox(), Outbox()
    for number in range(1, 11):
        outbox.add(page(number))
        fork.add(page(number, "fork"))
    await store.greet(hello(outbox), NOW_NS)
    assert await store.commit([batch(outbox, 1, 10)], NOW_NS) == [10]
    assert await store.commit([batch(outbox, 1, 3), batch(outbox, 4, 6)], NOW_NS) == [10, 10]
    for first in (1, 4):
        (outcome,) = await store.commit([batch(fork, first, 3)], NOW_NS)
        assert isinstance(outcome, Refused)
        assert (outcome.code, outcome.watermark) == ("EPOCH_FORK", 10)


async def test_on_a_full_disk_it_starts_and_later_notes_who_is_here(tmp_path, monkeypatch):
    def full(_connection):
        raise apsw.FullError("database or disk is full")

    store = Store(tmp_path / "g.db")
    await store.greet(hello(Outbox()), NOW_NS)
    store.close()
    monkeypatch.setattr("guardian_aggregator.store.store._DISCONNECT_SQL", "SELECT no_room()")
    monkeypatch.setattr(apsw, "connection_hooks", [lambda c: c.create_scalar_function("no_room", lambda: full(c))])
    store = Store(tmp_path / "g.db")
    queries = Queries(store.path)
    await store.touch({}, NOW_NS)
    assert [row.connected for row in await queries.agents()] == [False]
    queries.close()
    store.close()
