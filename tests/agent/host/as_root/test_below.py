import os
import subprocess
import sys

import pytest

from guardian_agent.errors import RefusedOperationError
from guardian_agent.host.as_root import below
from guardian_agent.host.as_root.below import mount_id, opened_folder, parent_of, regular_files
from guardian_agent.host.as_root.deadline import Deadline
from guardian_agent.host.as_root.mount_table import MountTable

# In a mount namespace of its own: a bind mount below the folder shows the same file system a second time.
BIND = """
import subprocess, sys
from guardian_agent.host.as_root.below import opened_folder, parent_of, regular_files
from guardian_agent.errors import RefusedOperationError
top = sys.argv[1]
subprocess.run(["mount", "--make-rprivate", "/"], check=True)
subprocess.run(["mount", "--bind", f"{top}/elsewhere", f"{top}/logs/bound"], check=True)
with opened_folder(f"{top}/logs") as folder:
    print([path for path, _ in regular_files(folder, f"{top}/logs", 100)])
    try:
        with parent_of(folder, "bound/a"):
            print("entered")
    except RefusedOperationError as error:
        print(error)
"""


def test_no_part_of_a_folders_path_may_be_a_link(tmp_path):
    (tmp_path / "real/below").mkdir(parents=True)
    (tmp_path / "way").symlink_to("real")
    with opened_folder(str(tmp_path / "real/below")) as folder:
        assert os.fstat(folder).st_ino == (tmp_path / "real/below").stat().st_ino
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"), opened_folder(str(tmp_path / "way/below")):
        pass


@pytest.mark.parametrize("path", ["relative", "/a/../b", "/a//b", "/a/", "/a\0b", ""])
def test_a_path_that_is_not_plain_is_refused(path):
    with pytest.raises(RefusedOperationError), opened_folder(path):
        pass


def test_a_file_is_reached_by_the_folder_that_it_is_in(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    with opened_folder(str(tmp_path)) as folder, parent_of(folder, "a/b/c") as (parent, name):
        assert (os.fstat(parent).st_ino, name) == ((tmp_path / "a/b").stat().st_ino, "c")


def test_a_mount_is_known_by_its_id_and_only_so_many_folders_are_entered(tmp_path):
    for name in ("a/1", "b/2", "3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with opened_folder(str(tmp_path)) as folder, opened_folder("/proc") as other:
        assert mount_id(folder) != mount_id(other)
        assert sorted(path for path, _ in regular_files(folder, str(tmp_path), 100)) == ["3", "a/1", "b/2"]
        assert len(list(regular_files(folder, str(tmp_path), 1))) == 2


def test_guardians_own_folders_are_not_entered_by_whatever_name(tmp_path, monkeypatch):
    (tmp_path / "logs/guardian").mkdir(parents=True)
    (tmp_path / "logs/guardian/executor.jsonl.1").touch()
    (tmp_path / "other").symlink_to("logs/guardian")
    monkeypatch.setattr(below, "GUARDIANS_OWN", (str(tmp_path / "other"), "/nowhere"))
    with opened_folder(str(tmp_path / "logs")) as folder:
        assert list(regular_files(folder, str(tmp_path / "logs"), 100)) == []
    with pytest.raises(RefusedOperationError, match="own"), opened_folder(str(tmp_path / "logs/guardian")):
        pass


def test_a_walk_ends_at_its_deadline_and_does_not_go_too_deep(tmp_path, monkeypatch):
    (tmp_path / "a/b/c").mkdir(parents=True)
    for name in ("1", "a/2", "a/b/3", "a/b/c/4"):
        (tmp_path / name).touch()
    monkeypatch.setattr(below, "MOST_DEEP", 2)
    with opened_folder(str(tmp_path)) as folder:
        assert sorted(path for path, _ in regular_files(folder, str(tmp_path), 100)) == ["1", "a/2", "a/b/3"]
        assert list(regular_files(folder, str(tmp_path), 100, Deadline(-1.0))) == []


def test_what_is_mounted_below_is_not_touched(tmp_path, monkeypatch):
    (tmp_path / "dead").mkdir()
    (tmp_path / "a").touch()
    with opened_folder(str(tmp_path)) as folder:
        monkeypatch.setattr(MountTable, "points", lambda _: frozenset({f"{tmp_path}/dead", f"{tmp_path}/a"}))
        monkeypatch.setattr(os, "open", lambda *_, **__: pytest.fail("it was touched"))
        assert list(regular_files(folder, str(tmp_path), 100)) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a mount")
def test_another_mount_of_the_same_file_system_is_not_entered(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a").touch()
    (tmp_path / "logs/bound").mkdir(parents=True)
    argv = ["unshare", "--mount", sys.executable, "-c", BIND, str(tmp_path)]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=True, timeout=30, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert done.stdout.splitlines() == ["[]", "bound is another mount"]
