"""Group commit: many askers, one transaction; one's failure is its own."""

import asyncio
import sqlite3
import threading

import apsw
import pytest

from guardian_aggregator.errors import Refused, StoreError
from guardian_aggregator.store.writer import Writer


@pytest.fixture
async def writer(tmp_path):
    connection = apsw.Connection(str(tmp_path / "w.db"))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, commits INTEGER)")
    connection.execute("CREATE TABLE commits (n INTEGER)")
    writer = Writer(connection, lambda connection: connection.execute("INSERT INTO commits VALUES (1)") and None)
    yield writer
    writer.close()


def insert(number: int):
    def work(connection: apsw.Connection) -> int:
        connection.execute("INSERT INTO t VALUES (?, 0)", (number,))
        return number

    return work


def rows(connection: apsw.Connection) -> list[int]:
    return [number for (number,) in connection.execute("SELECT id FROM t ORDER BY id")]


def commits(connection: apsw.Connection) -> int:
    return connection.execute("SELECT count(*) FROM commits").get


async def gated(writer: Writer):
    """Holds the writer until the returned function is called."""
    gate = threading.Event()
    held = asyncio.ensure_future(writer.write(lambda _: gate.wait(10)))
    await asyncio.sleep(0.05)

    async def release() -> None:
        gate.set()
        await held

    return release


async def test_what_waits_together_is_committed_together(writer):
    release = await gated(writer)
    before = 1
    waiting = [asyncio.ensure_future(writer.write(insert(number))) for number in range(100)]
    await asyncio.sleep(0)
    await release()
    assert await asyncio.gather(*waiting) == list(range(100))
    assert await writer.write(commits) == before + 1


async def test_what_one_raises_undoes_its_own_writing_only(writer):
    def refuse(connection):
        insert(50)(connection)
        raise Refused("EPOCH_FORK", "no")

    def broken(connection):
        insert(51)(connection)
        raise KeyError("a bug")

    release = await gated(writer)
    works = [insert(1), refuse, broken, insert(1), insert(2)]
    waiting = [asyncio.ensure_future(writer.write(work)) for work in works]
    await asyncio.sleep(0)
    await release()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, Refused, KeyError, StoreError, int]
    assert await writer.write(rows) == [1, 2]


async def test_a_full_disk_fails_all_that_waited_and_none_after_there_is_room_again(writer):
    await writer.write(insert(1))
    await writer.write(lambda connection: connection.pragma("max_page_count", 3))
    blob = "INSERT INTO t SELECT value, 0 FROM json_each(:all)"
    numbers = str(list(range(10, 5000)))
    release = await gated(writer)
    waiting = [
        asyncio.ensure_future(writer.write(insert(2))),
        asyncio.ensure_future(writer.write(lambda connection: connection.execute(blob, {"all": numbers}) and None)),
        asyncio.ensure_future(writer.write(insert(3))),
    ]
    await asyncio.sleep(0)
    await release()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreError] * 3
    assert "full" in str(outcomes[0])
    await writer.write(lambda connection: connection.pragma("max_page_count", 100_000))
    assert await writer.write(insert(4)) == 4
    assert await writer.write(rows) == [1, 4]


async def test_what_an_asker_that_went_away_asked_is_written_all_the_same(writer):
    release = await gated(writer)
    gone = asyncio.ensure_future(writer.write(insert(7)))
    await asyncio.sleep(0)
    gone.cancel()
    await release()
    assert await writer.write(rows) == [7]


async def test_what_was_asked_before_the_end_is_durable_and_after_it_nothing_is_taken(writer, tmp_path):
    waiting = [asyncio.ensure_future(writer.write(insert(number))) for number in range(20)]
    await asyncio.sleep(0)
    writer.close()
    assert await asyncio.gather(*waiting) == list(range(20))
    with pytest.raises(StoreError, match="closed"):
        await writer.write(insert(99))
    plain = sqlite3.connect(tmp_path / "w.db")
    assert plain.execute("SELECT count(*) FROM t").fetchone() == (20,)
    plain.close()


async def test_its_pulse_tells_work_from_rest_and_progress_from_none(writer):
    await writer.write(insert(1))
    assert writer.pulse is None
    release = await gated(writer)
    held = writer.pulse
    assert held is not None
    waiting = asyncio.ensure_future(writer.write(insert(2)))
    await asyncio.sleep(0)
    assert writer.pulse == held
    await release()
    await waiting
    assert writer.pulse is None


async def test_why_the_newest_transaction_failed_can_be_asked(writer):
    await writer.write(lambda connection: connection.pragma("max_page_count", 3))
    with pytest.raises(StoreError):
        await writer.write(
            lambda connection: connection.execute(
                "INSERT INTO t SELECT value, 0 FROM json_each(?)", (str([*range(9000)]),)
            )
        )
    assert "full" in (writer.failure or "")
    await writer.write(insert(1))
    assert writer.failure is None
