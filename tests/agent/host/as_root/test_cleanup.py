import asyncio
import gzip
import mmap
import os
import time
from pathlib import Path

import pytest

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host.as_root import cleanup
from guardian_agent.host.as_root.removable import seen
from guardian_agent.host.operations import CompressFile, DecompressFile, DeleteFiles, VacuumJournal
from guardian_agent.host.operations.cleanup import SeenFile

AN_HOUR_S = 3600.0
TEXT = b"GET / 200\n" * 1000


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

    monkeypatch.setattr(cleanup, "_gzip", no_room)
    await cleanup.do(CompressFile(str(folder), file, AN_HOUR_S))
    assert [path.name for path in folder.iterdir()] == ["a.log.1"]


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
