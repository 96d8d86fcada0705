import asyncio
import mmap
import os

import pytest
from tests.agent.host.as_root.old_files import AN_HOUR_S, delete, fields, old

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host.as_root import below, cleanup
from guardian_agent.host.as_root.removable import seen
from guardian_agent.host.operations import CompressFile, DecompressFile, DeleteFiles, VacuumJournal
from guardian_agent.host.operations.cleanup import SeenFile


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
            await cleanup.do(CompressFile(str(folder), SeenFile(**fields(file) | {"path": "way/a.1"}), 0.0))
        else:
            await delete(folder / "way", file)
    assert (tmp_path / "elsewhere" / "a.1").exists()


@pytest.mark.parametrize("path", ["../a.1", "b/../../a.1", "", ".", "/a.1"])
async def test_no_path_leads_out_of_the_folder(folder, tmp_path, path):
    file = old(tmp_path / "a.1")
    with pytest.raises(RefusedOperationError, match="plain path"):
        await delete(folder, SeenFile(**fields(file) | {"path": path}))
    assert (tmp_path / "a.1").exists()


@pytest.mark.parametrize("kind", [CompressFile, DeleteFiles])
async def test_after_its_time_nothing_is_deleted_or_compressed(folder, monkeypatch, kind):
    file = old(folder / "a.log.1")
    monkeypatch.setattr(cleanup, "LIMIT_S", -1.0)
    operation = CompressFile(str(folder), file, 0.0) if kind is CompressFile else DeleteFiles(str(folder), (file,), 0.0)
    with pytest.raises(OperationError, match="not done within"):
        await cleanup.do(operation)
    assert [path.name for path in folder.iterdir()] == ["a.log.1"]


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
        DeleteFiles(str(top), (SeenFile(**fields(file) | {"path": path}),), 0.0),
        CompressFile(str(top), SeenFile(**fields(file) | {"path": path}), 0.0),
        DecompressFile(str(top), path),
    ):
        with pytest.raises(RefusedOperationError, match="Guardian's own"):
            await cleanup.do(operation)
    assert (own / "executor.jsonl.1").exists()


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
