import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardian_agent.host.as_root import open_files
from guardian_agent.host.as_root.deadline import ENDLESS, Deadline, TooLateError
from guardian_agent.host.as_root.mount_table import MountTable
from guardian_agent.host.as_root.open_files import Opened


@contextlib.contextmanager
def folder(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def opened(path: Path, **but: int) -> Opened:
    with folder(path) as descriptor:
        return open_files.open_files(descriptor, ENDLESS, **but)


def test_what_this_process_has_open_is_open(tmp_path):
    (tmp_path / "a").touch()
    state = (tmp_path / "a").stat()
    with (tmp_path / "a").open() as file:
        assert opened(tmp_path).has(state)
        assert not opened(tmp_path, but=file.fileno()).has(state)
        with (tmp_path / "a").open():
            assert opened(tmp_path, but=file.fileno()).has(state)
    assert not opened(tmp_path).has(state)


def test_a_file_behind_a_loop_device_and_a_swap_file_are_in_use(tmp_path, monkeypatch):
    for name in ("disk.img", "swap"):
        (tmp_path / name).touch()
    (tmp_path / "swaps").write_text(f"Filename Type\n{tmp_path}/swap file 1 0 -2\n")
    (tmp_path / "loop0/loop").mkdir(parents=True)
    (tmp_path / "loop0/loop/backing_file").write_text(f"{tmp_path}/disk.img\n")
    monkeypatch.setattr(open_files, "PROC", tmp_path)
    monkeypatch.setattr(open_files, "LOOP_DEVICES", tmp_path)
    in_use = opened(tmp_path)
    assert all(in_use.has((tmp_path / name).stat()) for name in ("disk.img", "swap"))


def test_nothing_of_another_file_system_is_touched(tmp_path, monkeypatch):
    """A file of a server that is dead would hang us."""
    real, touched = os.stat, list[str]()

    def stat(path: object, *args: object, **more: object) -> os.stat_result:
        touched.append(os.path.realpath(path) if isinstance(path, str) else "")
        return real(path, *args, **more)

    (tmp_path / "mine").touch()
    with Path("/proc/self/mountinfo").open(), (tmp_path / "mine").open(), folder(tmp_path) as descriptor:
        monkeypatch.setattr(os, "stat", stat)
        open_files.open_files(descriptor, ENDLESS)
        monkeypatch.undo()
    assert str(tmp_path / "mine") in touched
    assert not [path for path in touched if path.startswith("/proc/") and path.endswith("/mountinfo")]


def test_what_is_open_on_a_mount_that_is_nowhere_any_more_counts_by_its_inode(tmp_path, monkeypatch):
    (tmp_path / "a").touch()
    with (tmp_path / "a").open(), folder(tmp_path) as descriptor:
        real = MountTable.device
        monkeypatch.setattr(
            MountTable, "device", lambda table, mount, process="self": real(table, mount) if process == "self" else None
        )
        assert open_files.open_files(descriptor, ENDLESS).has((tmp_path / "a").stat())


def test_the_pass_over_all_processes_ends_at_its_deadline(tmp_path):
    with folder(tmp_path) as descriptor, pytest.raises(TooLateError):
        open_files.open_files(descriptor, Deadline(-1.0))


def test_a_deleted_file_with_an_undecodable_name_is_told_escaped(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff"
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(b"x" * 5000)
        file.flush()
        os.unlink(path)  # noqa: PTH108
        with folder(tmp_path) as descriptor:
            names = [held.name for held in open_files.held_files(descriptor, ENDLESS) if held.pid == os.getpid()]
    assert f"{tmp_path}/\\xff" in names and all(name.encode() for name in names)
