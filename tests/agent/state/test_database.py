"""What the writer thread promises: durable before told, one bad closure alone, no failure in silence."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from guardian_agent.errors import StateError
from guardian_agent.state.database import Database
from guardian_agent.state.schema import MIGRATIONS


def remember(key: str):
    return lambda connection: connection.execute("INSERT INTO memory VALUES ('test', ?, x'00')", (key,)) and None


@contextmanager
def held(database: Database) -> Iterator[None]:
    """Holds the writer thread, so that what is handed in meanwhile waits together."""
    gate, at_the_gate = threading.Event(), threading.Event()

    def wait(_: apsw.Connection) -> None:
        at_the_gate.set()
        gate.wait()

    database.run(wait)
    at_the_gate.wait()
    yield
    gate.set()


def stored(connection: apsw.Connection) -> list[str]:
    return [key for (key,) in connection.execute("SELECT key FROM memory ORDER BY key")]


@pytest.fixture
async def database(tmp_path: Path):
    database = await Database.open(tmp_path / "state.db")
    yield database
    await database.close()


async def test_what_is_told_is_there_after_reopening(tmp_path: Path) -> None:
    first = await Database.open(tmp_path / "state.db")
    await first.run(remember("a"))
    await first.close()
    second = await Database.open(tmp_path / "state.db")
    assert await second.run(stored) == ["a"]
    await second.close()


async def test_file_and_folder_are_for_the_owner_only(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        database = await Database.open(tmp_path / "new" / "state.db")
        await database.run(remember("a"))
        modes = {file.name: file.stat().st_mode & 0o777 for file in [tmp_path / "new", *(tmp_path / "new").iterdir()]}
        await database.close()
    finally:
        os.umask(old)
    assert modes.pop("new") == 0o700
    assert set(modes.values()) == {0o600}


async def test_an_open_file_of_others_is_closed_to_them(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.touch(mode=0o644)
    file.chmod(0o644)
    database = await Database.open(file)
    await database.close()
    assert file.stat().st_mode & 0o777 == 0o600


async def test_what_waits_together_is_committed_together(database: Database) -> None:
    commits = 0

    def count() -> bool:
        nonlocal commits
        commits += 1
        return False

    def hook(connection: apsw.Connection) -> None:
        connection.set_commit_hook(count)

    await database.run(hook)
    with held(database):
        futures = [database.run(remember(f"{number:03}")) for number in range(100)]
    await asyncio.gather(*futures)
    assert commits == 1


async def test_a_closure_that_fails_sinks_no_other_and_leaves_nothing(database: Database) -> None:
    def half(connection: apsw.Connection) -> None:
        remember("half")(connection)
        raise LookupError("half-way")

    wrong = lambda connection: connection.execute("INSERT INTO nowhere VALUES (1)")  # noqa: E731
    results = await asyncio.gather(
        database.run(remember("a")),
        database.run(half),
        database.run(wrong),
        database.run(remember("b")),
        return_exceptions=True,
    )
    assert isinstance(results[1], LookupError)
    assert isinstance(results[2], StateError)
    assert await database.run(stored) == ["a", "b"]


async def test_a_failure_that_nobody_awaits_is_logged(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    database.run(lambda connection: connection.execute("nonsense"))
    await database.run(stored)
    assert any("not stored" in record.message and "syntax error" in record.message for record in caplog.records)


async def test_a_cancelled_wait_does_not_undo_the_commit(database: Database) -> None:
    heard = []
    future = database.run_then(remember("a"), lambda _: heard.append("a"))
    future.cancel()
    assert await database.run(stored) == ["a"]
    assert heard == ["a"]


async def test_results_come_in_the_order_of_submitting(database: Database) -> None:
    heard: list[int] = []

    def say(number: int) -> Callable[[apsw.Connection], int]:
        return lambda _: number

    futures = [database.run_then(say(number), heard.append) for number in range(50)]
    await asyncio.gather(*futures)
    assert heard == list(range(50))


async def test_a_full_disk_fails_those_in_hand_and_later_ones_are_tried_again(tmp_path: Path) -> None:
    failures: list[StateError] = []
    database = await Database.open(tmp_path / "state.db", failed=failures.append)
    size = await database.run(lambda connection: connection.execute("PRAGMA page_count").get)
    await database.run(lambda connection: connection.execute(f"PRAGMA max_page_count = {size}").get)
    big = lambda connection: connection.execute("INSERT INTO memory VALUES ('test', 'big', zeroblob(100000))")  # noqa: E731
    with held(database):
        futures = [database.run(remember("a")), database.run(big)]
    results = await asyncio.gather(*futures, return_exceptions=True)
    assert all(isinstance(result, StateError) and "full" in str(result) for result in results)
    assert len(failures) == 1
    assert await database.run(stored) == []
    await database.run(lambda connection: connection.execute("PRAGMA max_page_count = 100000").get)
    await database.run(remember("b"))
    assert await database.run(stored) == ["b"]
    await database.close()


async def test_the_reserve_is_given_up_for_a_full_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The disk is played: it is full for as long as the reserve is there."""
    failures: list[StateError] = []
    database = await Database.open(tmp_path / "state.db", failed=failures.append, reserve_bytes=1 << 20)
    reserve = tmp_path / "reserve"
    assert reserve.stat().st_size == 1 << 20

    def on_a_full_disk(connection: apsw.Connection) -> None:
        if reserve.exists():
            raise apsw.FullError("database or disk is full")
        remember("a")(connection)

    await database.run(on_a_full_disk)
    assert not reserve.exists()
    assert "the reserve" in caplog.text
    assert (await database.run(stored), failures) == (["a"], [])
    await database.close()
    again = await Database.open(tmp_path / "state.db", reserve_bytes=1 << 20)
    assert reserve.exists()
    await again.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_the_end_of_the_thread_is_told_to_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[StateError] = []
    database = await Database.open(tmp_path / "state.db", failed=failures.append)

    def unforeseen(*_: object) -> None:
        raise AttributeError("a mistake of ours")

    monkeypatch.setattr("guardian_agent.state.database._transaction", unforeseen)
    results = await asyncio.gather(database.run(stored), database.run(stored), return_exceptions=True)
    assert [str(result) for result in results] == [str(failures[0])] * 2
    with pytest.raises(StateError, match="writer thread has ended"):
        await database.run(stored)
    await database.close()


async def test_after_closing_nothing_is_taken(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "state.db")
    last = database.run(remember("last"))
    await database.close()
    assert last.done()
    with pytest.raises(StateError, match="closed"):
        await database.run(stored)
    await database.close()


async def test_a_second_agent_on_the_folder_is_refused(database: Database) -> None:
    with pytest.raises(StateError, match="in use by another guardian-agent"):
        await Database.open(database.path)
    await database.run(remember("a"))


@pytest.mark.parametrize("path", ["file/state.db", "folder", "garbage", "file/deep/state.db"])
async def test_what_cannot_be_a_state_is_named(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "garbage").write_text("not a database at all\n" * 100)
    with pytest.raises(StateError) as caught:
        await Database.open(tmp_path / path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_newer_database_is_refused_untouched(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    connection = apsw.Connection(str(file))
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(StateError, match="newer guardian-agent") as caught:
        await Database.open(file)
    assert "\n" not in str(caught.value)


async def test_the_schema_is_the_steps_one_after_another(database: Database) -> None:
    assert await database.run(lambda connection: connection.execute("PRAGMA user_version").get) == len(MIGRATIONS)


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("locking_mode", "exclusive")]
)
async def test_commits_survive_a_loss_of_power_by_these_settings(
    database: Database, pragma: str, value: object
) -> None:
    assert await database.run(lambda connection: connection.execute(f"PRAGMA {pragma}").get) == value


WRITER = """
import asyncio, sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from guardian_agent.state.database import Database

async def main():
    database = await Database.open(Path(sys.argv[1]))
    async def write(number):
        key = f"{number:08}"
        await database.run(lambda c: c.execute("INSERT INTO memory VALUES ('test', ?, x'00')", (key,)).get)
        print(key, flush=True)
    number = 0
    while True:
        await asyncio.gather(*(write(number + n) for n in range(7)))
        number += 7

asyncio.run(main())
"""


def test_after_kill_everything_that_was_told_is_there(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    told: set[str] = set()
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            if line.endswith("\n"):
                told.add(line.strip())
            if len(told) == 500:
                os.kill(process.pid, signal.SIGKILL)
    connection = apsw.Connection(str(file))
    there = {key for (key,) in connection.execute("SELECT key FROM memory")}
    connection.close()
    assert len(told) >= 500
    assert told <= there


async def test_the_loop_is_never_held_by_the_disk(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "state.db")
    slow = database.run(lambda _: time.sleep(0.3))
    longest, last = 0.0, time.perf_counter()
    while not slow.done():
        await asyncio.sleep(0.005)
        longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
    assert longest < 0.2
    await database.close()


def test_a_loop_that_is_gone_is_only_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def leave() -> threading.Thread:
        database = await Database.open(tmp_path / "state.db")
        gate.clear()
        database.run(lambda _: gate.wait())
        database._jobs.put(None)
        return database._thread

    gate = threading.Event()
    with caplog.at_level(logging.WARNING):
        thread = asyncio.run(leave())
        gate.set()
        thread.join(5)
    assert "nobody is left" in caplog.text
