"""The outbox's law: no hole in the seqs, a chain that verifies, exact counts, nothing lost in silence, nothing back."""

import asyncio
import logging
import tempfile
from collections import Counter
from functools import partial
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import apsw
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.agent.state.samples import AT

from guardian_agent.errors import StateError
from guardian_agent.state.database import Database
from guardian_agent.state.outbox import Batch, Entry, Outbox
from guardian_agent.state.overflow import DropRank, Limits
from guardian_agent.state.rows import CHAIN_START, Dropped, Gap, Row

GAP_MARK = b"gap:"


def encode_gap(gap: Gap, at: object) -> bytes:
    return GAP_MARK + msgspec.json.encode(gap)


def as_gap(record: bytes) -> Gap | None:
    return msgspec.json.decode(record.removeprefix(GAP_MARK), type=Gap) if record.startswith(GAP_MARK) else None


class Bench:
    """An outbox in a folder, that can be closed and opened again."""

    def __init__(self, folder: Path, limits: Limits | None = None, window: int = 10_000) -> None:
        self.folder, self.limits, self.window = folder, limits, window

    async def __aenter__(self) -> "Bench":
        self.database = await Database.open(self.folder / "state.db")
        self.outbox = Outbox(self.database, encode_gap, self.limits, self.window)
        await self.outbox.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.database.close()

    async def append(self, *entries: Entry) -> None:
        work = lambda connection: self.outbox.append(connection, entries, AT)  # noqa: E731
        await self.database.run_then(work, self.outbox.publish)

    async def all(self, after: int = 0) -> Batch:
        return await self.outbox.batch(after, 10**6, 10**9)


RANKS = {
    "transition": DropRank.TRANSITION,
    "running": DropRank.EXECUTION_RUNNING,
    "final": DropRank.EXECUTION_FINAL,
    "closed": DropRank.INCIDENT_CLOSED,
    "open": DropRank.INCIDENT_OPEN,
    "page": None,
}


def entry(kind: str, number: int, size: int = 10) -> Entry:
    incident = f"incident-{number % 3}" if kind in ("open", "closed") else None
    return Entry(kind, f"{kind} {number}".encode().ljust(size, b"."), RANKS[kind], incident)


class Receiver:
    """The other side of the wire: takes batches, and checks them against what was appended."""

    def __init__(self) -> None:
        self.appended: list[Entry | Dropped] = []  # by seq - 1; Dropped: a gap that a renewed epoch brought along
        self.chains: list[bytes | None] = [CHAIN_START]
        self.watermark = 0
        self.chain = CHAIN_START

    def note(self, one: Entry) -> None:
        self.appended.append(one)
        last = self.chains[-1]
        self.chains.append(None if last is None else sha256(last + one.record).digest())

    def take(self, batch: Batch) -> None:
        if not batch.records:
            return
        assert batch.first_seq == self.watermark + 1
        assert batch.prev_chain == self.chain
        for record, last_seq in zip(batch.records, batch.last_seqs, strict=True):
            gap = as_gap(record)
            if gap is None:
                assert last_seq == self.watermark + 1
                expected = self.appended[self.watermark]
                assert isinstance(expected, Entry)
                assert record == expected.record
                self.chain = sha256(self.chain + record).digest()
            else:
                self._take_gap(gap, last_seq)
            self.watermark = last_seq
        flags = [as_gap(record) is not None for record in batch.records]
        assert not any(one and other for one, other in pairwise(flags)), "two gaps that touch"

    def _take_gap(self, gap: Gap, last_seq: int) -> None:
        assert (gap.first_seq, gap.last_seq) == (self.watermark + 1, last_seq)
        missing = self.appended[gap.first_seq - 1 : gap.last_seq]
        expected = Counter(one.kind for one in missing if isinstance(one, Entry))
        for index, one in enumerate(missing):
            if isinstance(one, Dropped) and (index == 0 or missing[index - 1] is not one):
                expected += Counter(one.counts)
        assert Counter(gap.counts) == expected
        assert "page" not in gap.counts
        assert sum(gap.counts.values()) == len(missing)
        if (known := self.chains[gap.last_seq]) is not None:
            assert gap.last_chain == known
        self.chain = gap.last_chain

    def begin_again(self, rows: list[Row]) -> None:
        """After a renewed epoch: `rows` are all there is."""
        kept: list[Entry | Dropped] = []
        chains: list[bytes | None] = [CHAIN_START]
        for row in rows:
            if row.kind == "gap":
                length = row.last_seq - row.first_seq + 1
                kept.extend([row.dropped()] * length)
                chains.extend([None] * length)
            else:
                kept.append(self.appended[row.first_seq - 1])
                chains.append(None if chains[-1] is None else sha256(chains[-1] + row.record).digest())
        self.appended, self.chains = kept, chains
        self.watermark, self.chain = 0, CHAIN_START


appends = st.tuples(
    st.just("append"), st.lists(st.tuples(st.sampled_from(sorted(RANKS)), st.integers(0, 60)), min_size=1, max_size=6)
)


async def test_a_record_that_was_changed_behind_its_back_is_found(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.append(*(entry("transition", number, 9) for number in range(5)))
        assert await bench.outbox.broken_at() is None
        change = "UPDATE outbox SET record = x'00' WHERE first_seq = 3"
        await bench.database.run(lambda connection: list(connection.execute(change)))
        assert await bench.outbox.broken_at() == 3


def _delete(connection: apsw.Connection, seq: int) -> None:
    connection.execute("DELETE FROM outbox WHERE first_seq = ?", (seq,))


async def test_a_record_that_is_gone_is_found_wherever_it_stood(tmp_path: Path) -> None:
    for gone in (1, 3, 5):
        async with Bench(tmp_path / str(gone)) as bench:
            await bench.append(*(entry("transition", number, 9) for number in range(5)))
            delete = partial(_delete, seq=gone)
            await bench.database.run(delete)
            assert await bench.outbox.broken_at() == gone


others = st.sampled_from([("acknowledge", None), ("reopen", None), ("renew", None)])
delivers = st.tuples(st.just("deliver"), st.integers(1, 5))


async def _scenario(steps: list[tuple[str, object]], limits: Limits, window: int, folder: Path) -> None:
    bench, receiver, number = Bench(folder, limits, window), Receiver(), 0
    await bench.__aenter__()
    try:
        for step in [*steps, ("reopen", None)]:
            match step:
                case "append", list() as wanted:
                    entries = [entry(kind, number + n, size) for n, (kind, size) in enumerate(wanted)]
                    number += len(entries)
                    await bench.append(*entries)
                    for one in entries:
                        receiver.note(one)
                case "deliver", int() as count:
                    receiver.take(await bench.outbox.batch(receiver.watermark, count, 200))
                case "acknowledge", None:
                    await bench.outbox.acknowledge(receiver.watermark)
                case "reopen", None:
                    await bench.__aexit__()
                    await bench.__aenter__()
                case "renew", None:
                    await _renew(bench, receiver)
                case _:
                    pytest.fail(f"no such step: {step}")
            await _check_bounds(bench, receiver, limits)
            assert await bench.outbox.broken_at() is None
        while bench.outbox.bounds().lowest_seq < bench.outbox.bounds().next_seq:
            receiver.take(await bench.outbox.batch(receiver.watermark, 3, 500))
            await bench.outbox.acknowledge(receiver.watermark)
        assert receiver.watermark == len(receiver.appended)
        assert (bench.outbox.bounds().rows, bench.outbox.bounds().bytes) == (0, 0)
    finally:
        await bench.__aexit__()


async def _renew(bench: Bench, receiver: Receiver) -> None:
    before = bench.outbox.bounds()
    query = "SELECT first_seq, last_seq, kind, record, chain FROM outbox ORDER BY first_seq"
    rows = await bench.database.run(lambda connection: [Row(*values) for values in connection.execute(query)])
    await bench.outbox.renew_epoch()
    receiver.begin_again(rows)
    after = bench.outbox.bounds()
    assert after.epoch != before.epoch
    assert (after.lowest_seq, after.next_seq) == (1, before.next_seq - before.lowest_seq + 1)


async def _check_bounds(bench: Bench, receiver: Receiver, limits: Limits) -> None:
    bounds = bench.outbox.bounds()
    assert bounds.lowest_seq <= receiver.watermark + 1 <= bounds.next_seq == len(receiver.appended) + 1
    count = "SELECT count(*), ifnull(sum(length(record)), 0), count(drop_rank) FROM outbox WHERE kind <> 'gap'"
    ((rows, size, droppable),) = await bench.database.run(lambda connection: list(connection.execute(count)))
    assert (bounds.rows, bounds.bytes) == (rows, size)
    assert droppable == 0 or (rows <= limits.rows and size <= limits.bytes)


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(appends | delivers | others, max_size=25),
    limits=st.builds(Limits, rows=st.integers(1, 12), bytes=st.integers(30, 400)),
    window=st.integers(1, 8),
)
def test_whatever_happens_the_receiver_can_account_for_every_seq(steps, limits: Limits, window: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_scenario(steps, limits, window, Path(folder)))


async def test_an_emptied_outbox_goes_on_where_it_was(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        epoch = bench.outbox.bounds().epoch
        assert len(epoch) == 16
        await bench.append(entry("page", 1), entry("page", 2))
        chain = sha256(sha256(CHAIN_START + entry("page", 1).record).digest() + entry("page", 2).record).digest()
        await bench.outbox.acknowledge(2)
    async with Bench(tmp_path) as bench:
        bounds = bench.outbox.bounds()
        assert (bounds.epoch, bounds.lowest_seq, bounds.next_seq) == (epoch, 3, 3)
        await bench.append(entry("page", 3))
        batch = await bench.all(2)
        assert (batch.first_seq, batch.prev_chain, batch.records) == (3, chain, [entry("page", 3).record])


async def test_the_least_important_goes_first_and_pages_never(tmp_path: Path) -> None:
    async with Bench(tmp_path, Limits(rows=6), window=1) as bench:
        order = ["page", "open", "closed", "final", "running", "transition"]
        await bench.append(*(Entry(kind, kind.encode(), RANKS[kind], None) for kind in order))
        query = "SELECT kind FROM outbox WHERE kind NOT IN ('gap', 'page') ORDER BY first_seq"
        left = []
        for _ in range(6):
            await bench.append(Entry("page", b"page"))
            left.append([kind for (kind,) in await bench.database.run(lambda c: list(c.execute(query)))])
        assert left == [order[1:5], order[1:4], order[1:3], order[1:2], [], []]
        assert bench.outbox.bounds().rows == 7


async def test_an_incidents_older_records_go_before_any_closed_incident(tmp_path: Path) -> None:
    async with Bench(tmp_path, Limits(rows=3)) as bench:
        await bench.append(Entry("incident", b"a closed", DropRank.INCIDENT_CLOSED, "a"))
        await bench.append(Entry("incident", b"b open", DropRank.INCIDENT_OPEN, "b"))
        await bench.append(Entry("incident", b"b still open", DropRank.INCIDENT_OPEN, "b"))
        await bench.append(Entry("incident", b"b closed", DropRank.INCIDENT_CLOSED, "b"))
        records = [record for record in (await bench.all()).records if as_gap(record) is None]
        assert records == [b"a closed", b"b still open", b"b closed"]


async def test_neighbours_become_one_row_beyond_the_horizon_only(tmp_path: Path) -> None:
    async with Bench(tmp_path, Limits(rows=1), window=3) as bench:
        await bench.append(*(entry("transition", n) for n in range(10)))
        rows = await bench.database.run(lambda c: list(c.execute("SELECT first_seq, last_seq, kind FROM outbox")))
        assert rows == [(1, 1, "gap"), (2, 2, "gap"), (3, 3, "gap"), (4, 9, "gap"), (10, 10, "transition")]
        batch = await bench.all()
        assert (batch.first_seq, batch.last_seqs) == (1, [3])
        gap = as_gap(batch.records[0])
        assert gap is not None
        assert gap.counts == {"transition": 3}


async def test_the_horizon_reaches_to_the_end_of_a_gap_that_is_sent_whole(tmp_path: Path) -> None:
    async with Bench(tmp_path, Limits(rows=1), window=3) as bench:
        await bench.append(*(entry("transition", n) for n in range(10)))
        await bench.outbox.acknowledge(3)
        batch = await bench.outbox.batch(3, 10, 1 << 20)
        assert batch.last_seqs[-1] == 9 == bench.outbox.bounds().horizon


async def test_the_bytes_are_a_bound_as_the_rows_are(tmp_path: Path) -> None:
    async with Bench(tmp_path, Limits(bytes=1000)) as bench:
        for number in range(50):
            await bench.append(entry("transition", number, size=100))
        assert bench.outbox.bounds().bytes == 1000
        assert bench.outbox.bounds().dropped == 40


async def test_dropping_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with Bench(tmp_path, Limits(rows=2)) as bench:
            for number in range(10):
                await bench.append(entry("transition", number))
    assert caplog.text.count("the outbox is full") == 1


async def test_a_batch_keeps_both_limits_but_holds_at_least_one(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.append(*(entry("page", n, size=100) for n in range(10)))
        assert len((await bench.outbox.batch(0, 4, 10**6)).records) == 4
        assert len((await bench.outbox.batch(0, 100, 350)).records) == 3
        assert (await bench.outbox.batch(6, 100, 1)).last_seqs == [7]
        assert (await bench.outbox.batch(10, 100, 1000)).records == []


async def test_what_was_never_written_cannot_be_acknowledged(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.append(entry("page", 1))
        with pytest.raises(StateError, match="cannot acknowledge record 2"):
            await bench.outbox.acknowledge(2)
        await bench.outbox.acknowledge(1)
        await bench.outbox.acknowledge(1)
        await bench.outbox.acknowledge(0)
        assert bench.outbox.bounds().lowest_seq == 2


async def test_an_acknowledgement_inside_a_gap_keeps_the_gap(tmp_path: Path) -> None:
    async with Bench(tmp_path, Limits(rows=1), window=1) as bench:
        await bench.append(*(entry("transition", n) for n in range(6)))
        await bench.outbox.acknowledge(3)
        assert bench.outbox.bounds().lowest_seq == 2
        batch = await bench.all(3)
        assert (batch.first_seq, batch.last_seqs) == (2, [5])


async def test_who_waits_is_woken_by_what_is_durable(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        first, second = (
            asyncio.create_task(bench.outbox.wait_beyond(0)),
            asyncio.create_task(bench.outbox.wait_beyond(1)),
        )
        await asyncio.sleep(0.01)
        assert not first.done()
        await bench.append(entry("page", 1))
        await asyncio.wait_for(first, 1)
        assert not second.done()
        await bench.append(entry("page", 2))
        await asyncio.wait_for(second, 1)
