import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.agent.host.as_root.old_files import AN_HOUR_S, TEXT, old

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host.as_root import cleanup, compressing, paths
from guardian_agent.host.as_root.deadline import Deadline
from guardian_agent.host.operations import CompressFile, DecompressFile


async def test_a_log_is_compressed_and_comes_back_as_it_was(folder):
    file = old(folder / "a.log.1")
    (folder / "a.log.1").chmod(0o640)
    before = (folder / "a.log.1").stat()
    await cleanup.do(CompressFile(str(folder), file, AN_HOUR_S))
    assert [path.name for path in folder.iterdir()] == ["a.log.1.gz"]
    assert gzip.decompress((folder / "a.log.1.gz").read_bytes()) == TEXT
    await cleanup.do(CompressFile(str(folder), file, AN_HOUR_S))  # once more is fine
    for _ in range(2):
        await cleanup.do(DecompressFile(str(folder), "a.log.1"))
    after = (folder / "a.log.1").stat()
    assert [path.name for path in folder.iterdir()] == ["a.log.1"] and (folder / "a.log.1").read_bytes() == TEXT
    assert (after.st_mode, after.st_uid, after.st_mtime_ns) == (before.st_mode, before.st_uid, before.st_mtime_ns)


async def test_an_open_log_is_not_compressed_and_no_other_file_is_written_over(folder):
    file = old(folder / "a.log.1")
    with (folder / "a.log.1").open("ab"), pytest.raises(RefusedOperationError, match="is open"):
        await cleanup.do(CompressFile(str(folder), file, AN_HOUR_S))
    (folder / "a.log.1.gz").write_bytes(b"somebody's")
    with pytest.raises(OperationError, match="exists"):
        await cleanup.do(CompressFile(str(folder), file, AN_HOUR_S))
    assert (folder / "a.log.1.gz").read_bytes() == b"somebody's" and (folder / "a.log.1").read_bytes() == TEXT
    assert len(list(folder.iterdir())) == 2


async def test_without_room_for_the_compressed_file_the_log_stays(folder, monkeypatch):
    file = old(folder / "a.log.1")

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(paths, "_write", no_room)
    await cleanup.do(CompressFile(str(folder), file, AN_HOUR_S))
    assert [path.name for path in folder.iterdir()] == ["a.log.1"]


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """It happens after the file was compressed and before it is taken away."""
    real = compressing._packed

    def packed(*args: Any) -> object:
        made = real(*args)
        happens()
        return made

    monkeypatch.setattr(compressing, "_packed", packed)


async def test_what_logrotate_put_in_the_place_meanwhile_stays(folder, monkeypatch):
    file = old(folder / "a.log.1", b"day before")
    (folder / "a.log").write_bytes(b"yesterday, the only copy")

    def logrotate() -> None:
        (folder / "a.log.1").rename(folder / "a.log.2")
        (folder / "a.log").rename(folder / "a.log.1")

    meanwhile(monkeypatch, logrotate)
    with pytest.raises(RefusedOperationError, match="another file now"):
        await cleanup.do(CompressFile(str(folder), file, AN_HOUR_S))
    left = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert left == {"a.log.1": b"yesterday, the only copy", "a.log.2": b"day before"}


@pytest.mark.parametrize("how", ["more is written", "it is written, and its time set back", "somebody opens it"])
async def test_what_changes_while_it_is_compressed_stays(folder, monkeypatch, how):
    file = old(folder / "a.log.1")
    writers = []

    def write() -> None:
        writer = (folder / "a.log.1").open("r+b")
        if how != "somebody opens it":
            writer.seek(0, os.SEEK_END if how == "more is written" else os.SEEK_SET)
            writer.write(b"x")
            writer.close()
            os.utime(folder / "a.log.1", ns=(file.modified_wall_ns, file.modified_wall_ns))
        writers.append(writer)

    meanwhile(monkeypatch, write)
    with pytest.raises(RefusedOperationError, match=r"has changed|is open"):
        await cleanup.do(CompressFile(str(folder), file, AN_HOUR_S))
    assert [path.name for path in folder.iterdir()] == ["a.log.1"]
    writers[0].close()


async def test_a_compressed_file_that_was_replaced_meanwhile_takes_no_log_away(folder, monkeypatch):
    file = old(folder / "a.log.1")

    def replace() -> None:
        (folder / "a.log.1.gz").unlink()
        (folder / "a.log.1.gz").write_bytes(b"somebody's")

    meanwhile(monkeypatch, replace)
    with pytest.raises(OperationError, match="replaced meanwhile"):
        await cleanup.do(CompressFile(str(folder), file, AN_HOUR_S))
    assert {path.name for path in folder.iterdir()} == {"a.log.1", "a.log.1.gz"}


async def test_what_is_not_compressed_in_time_stays_whatever_the_thread_does_later(folder, monkeypatch):
    file = old(folder / "a.log.1")
    deadlines: list[Deadline] = []
    real = compressing.compress
    monkeypatch.setattr(compressing, "compress", lambda do, until: deadlines.append(until) or real(do, until))
    meanwhile(monkeypatch, lambda: deadlines[0].expire())  # noqa: PLW0108 - it is there later
    with pytest.raises(OperationError, match="not done within"):
        await cleanup.do(CompressFile(str(folder), file, AN_HOUR_S))
    assert [path.name for path in folder.iterdir()] == ["a.log.1"]


async def test_a_log_that_is_too_large_is_refused(folder, monkeypatch):
    file = old(folder / "a.log.1")
    monkeypatch.setattr(compressing, "MOST_COMPRESSED_BYTES", len(TEXT) - 1)
    with pytest.raises(RefusedOperationError, match="has more than"):
        await cleanup.do(CompressFile(str(folder), file, AN_HOUR_S))


async def test_only_what_was_compressed_by_us_is_decompressed(folder):
    (folder / "bomb.log.1.gz").write_bytes(gzip.compress(b"\0" * 50_000_000))
    await cleanup.do(DecompressFile(str(folder), "bomb.log.1"))
    assert [path.name for path in folder.iterdir()] == ["bomb.log.1.gz"]


@pytest.mark.parametrize(
    "content",
    [gzip.compress(b"\0" * 50_000_000), gzip.compress(b"less"), b"no gzip", b"", gzip.compress(TEXT) * 2],
)
async def test_what_is_not_what_was_compressed_is_not_put_back(folder, content):
    await cleanup.do(CompressFile(str(folder), old(folder / "a.log.1"), AN_HOUR_S))
    (folder / "a.log.1.gz").write_bytes(content)
    with pytest.raises(RefusedOperationError, match=r"more in it|is not what was compressed|cannot be decompressed"):
        await cleanup.do(DecompressFile(str(folder), "a.log.1"))
    assert [path.name for path in folder.iterdir()] == ["a.log.1.gz"]


async def test_another_file_of_its_name_is_not_written_over_and_the_log_stays_compressed(folder):
    await cleanup.do(CompressFile(str(folder), old(folder / "a.log.1", b"day before"), AN_HOUR_S))
    (folder / "a.log.1").write_bytes(b"yesterday!")
    with pytest.raises(RefusedOperationError, match="another file now"):
        await cleanup.do(DecompressFile(str(folder), "a.log.1"))
    assert (folder / "a.log.1").read_bytes() == b"yesterday!"
    assert gzip.decompress((folder / "a.log.1.gz").read_bytes()) == b"day before"


async def test_a_log_that_was_never_taken_away_loses_its_compressed_copy(folder, monkeypatch):
    file = old(folder / "a.log.1")
    monkeypatch.setattr(compressing, "_must_be_free", lambda *_: (folder / "a.log.1").stat())
    with monkeypatch.context() as cut_short:
        cut_short.setattr(compressing.os, "unlink", lambda *_, **__: None)
        await cleanup.do(CompressFile(str(folder), file, AN_HOUR_S))
    await cleanup.do(DecompressFile(str(folder), "a.log.1"))
    left = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert left == {"a.log.1"} and (folder / "a.log.1").read_bytes() == TEXT


@pytest.mark.parametrize("note", [b"", b"{", b"\xff", b"[" * 10_000, b'{"path": 1}'])
async def test_what_was_written_down_and_makes_no_sense_puts_nothing_back(folder, note):
    await cleanup.do(CompressFile(str(folder), old(folder / "a.log.1"), AN_HOUR_S))
    (written,) = notes()
    written.write_bytes(note)
    await cleanup.do(DecompressFile(str(folder), "a.log.1"))
    assert [path.name for path in folder.iterdir()] == ["a.log.1.gz"]


async def test_what_was_written_down_is_forgotten_in_the_end(folder):
    await cleanup.do(CompressFile(str(folder), old(folder / "a.log.1"), AN_HOUR_S))
    (written,) = notes()
    os.utime(written, (1, 1))
    await cleanup.do(CompressFile(str(folder), old(folder / "b.log.1"), AN_HOUR_S))
    assert written not in notes()


def notes() -> list[Path]:
    return list(Path(compressing.FOLDER).iterdir())
