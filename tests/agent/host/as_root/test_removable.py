import os
import time
from pathlib import Path

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host.as_root import below, cleaned, removable
from guardian_agent.host.questions import Cleaned, FoundRemovable, ListCleaned, ListHeldFiles, ListRemovable


def put(path: Path, age_s: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 100)
    then = time.time() - age_s
    os.utime(path, (then, then))


async def ask(folder: Path, *names: str, mount: Path | None = None, most: int = 10) -> FoundRemovable:
    mount_point = str(mount or folder)
    return await removable.removable(ListRemovable(mount_point, (str(folder),), names or ("*",), 60.0, most))


def paths(found: FoundRemovable) -> list[str]:
    return [file.path for folder in found.folders for file in folder.files]


async def test_old_files_are_told_oldest_first_and_no_more_than_are_wanted(tmp_path):
    for name, age_s in {"a.1": 100, "deep/below/b.1": 300, "c.1": 200, "young.1": 10, "other.txt": 400}.items():
        put(tmp_path / name, age_s)
    assert paths(await ask(tmp_path, "*.1")) == ["deep/below/b.1", "c.1", "a.1"]
    assert paths(await ask(tmp_path, "*.1", most=1)) == ["deep/below/b.1"]


async def test_links_files_with_two_names_and_open_ones_are_not_told(tmp_path):
    put(tmp_path / "logs/open.1", 100)
    put(tmp_path / "logs/twice.1", 100)
    put(tmp_path / "elsewhere/a.1", 100)
    (tmp_path / "logs/again.1").hardlink_to(tmp_path / "logs/twice.1")
    (tmp_path / "logs/folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "logs/link.1").symlink_to(tmp_path / "elsewhere/a.1")
    with (tmp_path / "logs/open.1").open():
        found = await ask(tmp_path / "logs")
    assert paths(found) == [] and found.spared_open == 1


async def test_a_folder_on_another_file_system_and_one_behind_a_link_have_nothing(tmp_path):
    put(tmp_path / "logs/a.1", 100)
    (tmp_path / "way").symlink_to(tmp_path / "logs")
    assert paths(await ask(tmp_path / "logs", mount=Path("/proc"))) == []
    assert paths(await ask(tmp_path / "way")) == []
    assert paths(await ask(tmp_path / "nowhere", mount=tmp_path)) == []


async def test_a_mount_below_an_allowed_folder_is_looked_at_from_its_own_top(tmp_path):
    put(tmp_path / "data/a.1", 100)
    found = await ask(tmp_path, mount=tmp_path / "data")
    assert [folder.folder for folder in found.folders] == [str(tmp_path / "data")]


async def test_a_mount_that_is_not_there_cannot_be_told_of(tmp_path):
    with pytest.raises(ProbeError, match="No such file"):
        await ask(tmp_path / "nowhere")


async def test_a_deleted_file_that_is_open_is_told_with_who_holds_it(tmp_path):
    put(tmp_path / "gone.log", 0)
    with (tmp_path / "gone.log").open("ab") as log:
        log.write(b"x" * 1_000_000)
        log.flush()
        (tmp_path / "gone.log").unlink()
        held = await removable.held_files(ListHeldFiles(str(tmp_path), most=1000))
        mine = [file for file in held if file.name == str(tmp_path / "gone.log")]
    assert [(file.pid, file.allocated_bytes >= 1_000_000) for file in mine] == [(os.getpid(), True)]
    assert sorted(held, key=lambda file: -file.allocated_bytes) == list(held)


async def test_the_journal_counts_where_it_is_on_that_file_system(tmp_path, monkeypatch):
    put(tmp_path / "journal/machine/system.journal", 0)
    monkeypatch.setattr(removable, "JOURNAL", str(tmp_path / "journal"))
    assert (await ask(tmp_path)).journal_bytes >= 100
    assert (await ask(tmp_path, mount=Path("/proc"))).journal_bytes == 0


async def test_guardians_own_logs_are_not_told(tmp_path, monkeypatch):
    put(tmp_path / "logs/guardian/executor.jsonl.1", 100)
    put(tmp_path / "logs/a.1", 100)
    monkeypatch.setattr(below, "GUARDIANS_OWN", (str(tmp_path / "logs/guardian"),))
    assert paths(await ask(tmp_path / "logs")) == ["a.1"]


async def test_a_walk_that_takes_too_long_ends_with_what_it_has(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        put(tmp_path / name / "old.1", 100)
    walked = []
    real = removable._old_files

    def slow(folder, *args):
        walked.append(folder)
        found = real(folder, *args)
        args[-1].expire()
        return found

    monkeypatch.setattr(removable, "_old_files", slow)
    folders = tuple(str(tmp_path / name) for name in ("a", "b", "c"))
    found = await removable.removable(ListRemovable(str(tmp_path), folders, ("*",), 60.0))
    assert walked == [folders[0]] and paths(found) == ["old.1"]


async def test_what_was_deleted_is_told_and_asking_makes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(cleaned, "FOLDER", str(tmp_path / "lib/cleaned"))
    assert await removable.deleted(ListCleaned(0)) == () and not (tmp_path / "lib").exists()
    cleaned.note(Cleaned(at_wall_ns=5, folder="/srv/a"))
    assert [one.folder for one in await removable.deleted(ListCleaned(5))] == ["/srv/a"]


async def test_what_takes_too_long_cannot_be_told(tmp_path, monkeypatch):
    monkeypatch.setattr(removable, "LIMIT_S", -1.0)
    for question in (ListRemovable(str(tmp_path), (str(tmp_path),), ("*",), 60.0), ListHeldFiles(str(tmp_path))):
        with pytest.raises(ProbeError, match="not known within"):
            await removable._told(question, lambda _, until: until.check())
