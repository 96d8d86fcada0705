"""What is stored of a stream, whatever is sent: a prefix, once, with the right watermark and chain."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.aggregator.ingest.outbox import NOW_NS, Outbox, page

from guardian_aggregator.errors import Refused
from guardian_aggregator.ingest import codec
from guardian_aggregator.model import StreamId
from guardian_aggregator.store import Store

LENGTH = 24

# which outbox, at which of its rows the batch begins, how many rows it has
sends = st.lists(
    st.tuples(st.sampled_from(["own", "fork"]), st.integers(0, LENGTH - 1), st.integers(1, 9)), min_size=1, max_size=25
)
drops = st.none() | st.tuples(st.integers(1, LENGTH), st.integers(0, 8))


def outboxes(common: int, drop: tuple[int, int] | None) -> dict[str, Outbox]:
    """The agent's outbox, and that of a copy of the host made after `common` records, and after a drop among these.

    A gap over records of which the other's are stored would hide the fork: no chain value of it is at the watermark.
    """
    made = {"own": Outbox(), "fork": Outbox()}
    for name, outbox in made.items():
        outbox.add(*(page(number, "same" if number <= common else name) for number in range(1, LENGTH + 1)))
        if drop is not None and drop[0] + drop[1] <= common:
            outbox.drop(drop[0], drop[0] + drop[1])
    return made


async def stored(store: Store) -> tuple[list[tuple[int, int, bytes]], int, bytes]:
    """The rows (first seq, last seq, record) of the only stream, its watermark and chain."""
    found = []

    def look(connection):
        rows = list(connection.execute("SELECT seq, last_seq, raw FROM records ORDER BY seq"))
        found.append((rows, *connection.execute("SELECT watermark, chain FROM streams").fetchone()))

    await store.write(look)
    return found[0]


async def send(store: Store, outbox: Outbox, row: int, count: int) -> int | Refused:
    first = outbox.rows[min(row, len(outbox.rows) - 1)][0]
    stream = StreamId(outbox.agent_id, outbox.epoch)
    batch = codec.read_batch(codec.read_message(outbox.batch(first, count)), stream, NOW_NS, 100)
    (outcome,) = await store.commit([batch], NOW_NS)
    assert isinstance(outcome, int | Refused)
    return outcome


@given(sends=sends, common=st.integers(0, LENGTH), drop=drops)
@settings(max_examples=60, deadline=None)
def test_any_sequence_of_batches_leaves_a_prefix_without_duplicates(sends, common, drop):
    async def story() -> None:
        made = outboxes(common, drop)
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder) / "guardian.db")
            hello = codec.read_hello(codec.read_message(made["own"].hello()))
            watermark = (await store.greet(hello, NOW_NS)).watermark
            for name, row, count in sends:
                outcome = await send(store, made[name], row, count)
                rows, now, chain = await stored(store)
                assert now >= watermark
                assert outcome == now if isinstance(outcome, int) else now == watermark
                assert any((rows, chain) == prefix(outbox, now) for outbox in made.values())
                watermark = now
            store.close()

    asyncio.run(story())


def prefix(outbox: Outbox, watermark: int) -> tuple[list[tuple[int, int, bytes]], bytes] | None:
    """What must be stored of an outbox up to a watermark, which may not cut a row in two."""
    rows = [(first, last, raw) for first, last, raw, _ in outbox.rows if last <= watermark]
    if (rows[-1][1] if rows else 0) != watermark:
        return None
    return rows, outbox.chain(watermark)


@given(
    cuts=st.lists(st.tuples(st.integers(0, 6), st.integers(1, 9)), min_size=1, max_size=40),
    drop=drops,
)
@settings(max_examples=40, deadline=None)
def test_an_agent_that_sends_again_from_anywhere_before_the_watermark_is_always_taken(cuts, drop):
    async def story() -> None:
        outbox = outboxes(LENGTH, drop)["own"]
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder) / "guardian.db")
            await store.greet(codec.read_hello(codec.read_message(outbox.hello())), NOW_NS)
            done = 0  # rows
            for back, count in cuts:
                begin = max(0, min(done, len(outbox.rows) - 1) - back)
                outcome = await send(store, outbox, begin, count)
                done = max(done, min(begin + count, len(outbox.rows)))
                assert outcome == outbox.rows[done - 1][1]
            assert (await stored(store))[1:] == (outbox.rows[done - 1][1], outbox.rows[done - 1][3])
            store.close()

    asyncio.run(story())


async def test_the_rest_of_a_gap_over_stored_records_goes_on_from_its_own_chain(tmp_path):
    outbox = outboxes(LENGTH, None)["own"]
    store = Store(tmp_path / "guardian.db")
    await store.greet(codec.read_hello(codec.read_message(outbox.hello())), NOW_NS)
    assert await send(store, outbox, 0, 7) == 7
    outbox.drop(5, 9)
    assert await send(store, outbox, 4, 3) == 11
    rows, watermark, chain = await stored(store)
    assert [row[:2] for row in rows[6:]] == [(7, 7), (8, 9), (10, 10), (11, 11)]
    assert (watermark, chain) == (11, outbox.chain(11))
    store.close()
