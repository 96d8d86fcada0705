import asyncio
import gzip
import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host.as_root import below, cleaned, cleanup, compressing, paths
from guardian_agent.host.as_root.deadline import Deadline
from guardian_agent.host.as_root.removable import seen
from guardian_agent.host.operations import CompressFile, DecompressFile, DeleteFiles, VacuumJournal
from guardian_agent.host.operations.cleanup import SeenFile
from guardian_agent.host.questions import ListCleaned, Spared

AN_HOUR_S = 3600.0
TEXT = b"GET / 200\n" * 1000


@pytest.fixture(autouse=True)
def of_roots_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where root writes down what it does."""
    monkeypatch.setattr(compressing, "FOLDER", str(tmp_path / "lib/compressed"))
    monkeypatch.setattr(cleaned, "FOLDER", str(tmp_path / "lib/cleaned"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


def old(path: Path, content: bytes = TEXT) -> SeenFile:
    """A file of two hours ago, as a plan sees it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    then = time.time() - 2 * AN_HOUR_S
    os.utime(path, (then, then))
    return seen(path.name, path.stat())


async def delete(folder: Path, *files: SeenFile, min_age_s: float = AN_HOUR_S) -> None:
    await cleanup.do(DeleteFiles(str(folder), files, min_age_s))


async def test_old_files_go_and_one_that_is_gone_is_fine(folder):
    first, second = old(folder / "a.1"), old(folder / "b.1")
    (folder / "b.1").unlink()
    await delete(folder, first, second)
    await delete(folder, first, second)
    assert list(folder.iterdir()) == []


async def test_a_file_that_is_open_and_written_survives(folder):
    file = old(folder / "a.1")
    with (folder / "a.1").open("ab"):
        await delete(folder, file)
        assert (folder / "a.1").exists()
    await delete(folder, file)
    assert not (folder / "a.1").exists()


async def test_a_file_that_is_open_in_another_process_survives(folder):
    file = old(folder / "a.1")
    tail = await asyncio.create_subprocess_exec("tail", "-f", folder / "a.1", stdout=asyncio.subprocess.PIPE)
    assert tail.stdout
    await tail.stdout.readline()
    try:
        await delete(folder, file)
        assert (folder / "a.1").exists()
    finally:
        tail.kill()
        await tail.wait()


async def test_a_file_that_is_only_mapped_survives(folder):
    file = old(folder / "a.1")
    descriptor = os.open(folder / "a.1", os.O_RDONLY)
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ):
        os.close(descriptor)
        await delete(folder, file)
        assert (folder / "a.1").exists()


async def test_what_changed_since_is_too_young_or_another_file_stays(folder):
    written, replaced, young = old(folder / "a.1"), old(folder / "b.1"), old(folder / "c.1")
    (folder / "a.1").write_bytes(b"more")
    os.utime(folder / "a.1", ns=(written.modified_wall_ns, written.modified_wall_ns))
    (folder / "b.1").rename(folder / "elsewhere")
    old(folder / "b.1")
    await delete(folder, written, replaced)
    await delete(folder, young, min_age_s=3 * AN_HOUR_S)
    assert {path.name for path in folder.iterdir()} == {"a.1", "b.1", "c.1", "elsewhere"}


async def test_a_file_with_two_names_a_folder_and_a_link_stay(folder):
    two_names = old(folder / "a.1")
    (folder / "other").hardlink_to(folder / "a.1")
    (folder / "below.1").mkdir()
    (folder / "link.1").symlink_to("/etc/hostname")
    kinds = [seen(name, (folder / name).lstat()) for name in ("below.1", "link.1")]
    await delete(folder, two_names, *kinds, min_age_s=0.0)
    assert {path.name for path in folder.iterdir()} == {"a.1", "other", "below.1", "link.1"}


@pytest.mark.parametrize("place", ["in the folder's path", "below the folder"])
async def test_no_link_is_followed_on_the_way(folder, tmp_path, place):
    file = old(tmp_path / "elsewhere" / "a.1")
    (folder / "way").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OperationError):
        if place == "below the folder":
            await cleanup.do(CompressFile(str(folder), SeenFile(**_fields(file) | {"path": "way/a.1"}), 0.0))
        else:
            await delete(folder / "way", file)
    assert (tmp_path / "elsewhere" / "a.1").exists()


def _fields(file: SeenFile) -> dict[str, object]:
    return {name: getattr(file, name) for name in file.__struct_fields__}


@pytest.mark.parametrize("path", ["../a.1", "b/../../a.1", "", ".", "/a.1"])
async def test_no_path_leads_out_of_the_folder(folder, tmp_path, path):
    file = old(tmp_path / "a.1")
    with pytest.raises(RefusedOperationError, match="plain path"):
        await delete(folder, SeenFile(**_fields(file) | {"path": path}))
    assert (tmp_path / "a.1").exists()


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


@pytest.mark.parametrize("kind", [CompressFile, DeleteFiles])
async def test_after_its_time_nothing_is_deleted_or_compressed(folder, monkeypatch, kind):
    file = old(folder / "a.log.1")
    monkeypatch.setattr(cleanup, "LIMIT_S", -1.0)
    operation = CompressFile(str(folder), file, 0.0) if kind is CompressFile else DeleteFiles(str(folder), (file,), 0.0)
    with pytest.raises(OperationError, match="not done within"):
        await cleanup.do(operation)
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


async def test_root_tells_what_really_went_and_what_was_spared(folder):
    went, stays = old(folder / "a.1"), old(folder / "b.1")
    before = time.time_ns()
    with (folder / "b.1").open():
        await delete(folder, went, stays)
    (told,) = cleaned.since(ListCleaned(before))
    assert (told.folder, told.deleted, told.spared) == (str(folder), ("a.1",), (Spared("b.1", "is open"),))
    assert told.deleted_bytes > 0 and cleaned.since(ListCleaned(before + 60 * 10**9)) == ()
    for name in ("0.json", "1.json"):
        (Path(cleaned.FOLDER) / name).write_bytes(b"\xff")
    assert cleaned.since(ListCleaned(before)) == (told,)


async def test_no_more_is_kept_of_what_went_than_the_last(folder, monkeypatch):
    monkeypatch.setattr(cleaned, "KEPT", 2)
    for name in ("a.1", "b.1", "c.1"):
        await delete(folder, old(folder / name))
    assert [one.deleted for one in cleaned.since(ListCleaned(0))] == [("b.1",), ("c.1",)]


@pytest.mark.parametrize("way", ["by its name", "below an allowed folder", "by another name of it"])
async def test_guardians_own_folders_are_never_entered(folder, tmp_path, monkeypatch, way):
    own = folder / "guardian"
    file = old(own / "executor.jsonl.1")
    named = tmp_path / "elsewhere" if way == "by another name of it" else own
    if named != own:
        named.symlink_to(own)
    monkeypatch.setattr(below, "GUARDIANS_OWN", (str(named),))
    top = own if way == "by its name" else folder
    path = "executor.jsonl.1" if top == own else "guardian/executor.jsonl.1"
    for operation in (
        DeleteFiles(str(top), (SeenFile(**_fields(file) | {"path": path}),), 0.0),
        CompressFile(str(top), SeenFile(**_fields(file) | {"path": path}), 0.0),
        DecompressFile(str(top), path),
    ):
        with pytest.raises(RefusedOperationError, match="Guardian's own"):
            await cleanup.do(operation)
    assert (own / "executor.jsonl.1").exists()


def notes() -> list[Path]:
    return list(Path(compressing.FOLDER).iterdir())


async def test_the_journal_is_vacuumed_by_its_own_program(tmp_path, monkeypatch):
    program = tmp_path / "journalctl"
    program.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/said; [ "$1" != --vacuum-size=2 ] || {{ echo no >&2; exit 1; }}\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(cleanup, "JOURNALCTL", str(program))
    await cleanup.do(VacuumJournal(1 << 20))
    assert (tmp_path / "said").read_text() == "--vacuum-size=1048576 --quiet\n"
    with pytest.raises(OperationError, match="exit code 1: no"):
        await cleanup.do(VacuumJournal(2))
