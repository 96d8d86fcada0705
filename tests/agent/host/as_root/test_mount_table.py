"""What a process has mounted, from files that are like those of proc_pid_mountinfo(5)."""

import os
from pathlib import Path

import pytest

from guardian_agent.host.as_root.mount_table import MountTable

ROOT_MOUNT = "22 1 8:1 / / rw - ext4 /dev/sda1 rw"
LOGS_MOUNT = "30 22 8:2 / /var/log rw - ext4 /dev/sda2 rw"


def process(proc: Path, pid: str, *mounts: str, namespace: str = "mnt:[1]", root: str = "/") -> Path:
    own = proc / pid
    (own / "ns").mkdir(parents=True)
    (own / "ns/mnt").symlink_to(namespace)
    (own / "root").symlink_to(root)
    (own / "mountinfo").write_bytes(os.fsencode("".join(f"{line}\n" for line in mounts)))
    return own / "mountinfo"


@pytest.mark.parametrize(
    ("path", "device"),
    [("/", "8:1"), ("/var", "8:1"), ("/var/log", "8:2"), ("/var/log/a/b", "8:2"), ("/var/log2", "8:1")],
)
def test_a_path_is_on_the_nearest_mount_above_it(tmp_path: Path, path: str, device: str) -> None:
    process(tmp_path, "self", ROOT_MOUNT, LOGS_MOUNT)
    assert MountTable(tmp_path).device_of(path) == device


def test_of_two_mounts_on_one_point_the_later_is_what_one_sees_and_both_are_known(tmp_path: Path) -> None:
    process(tmp_path, "self", ROOT_MOUNT, LOGS_MOUNT, "31 30 8:3 / /var/log rw - ext4 /dev/sda3 rw")
    table = MountTable(tmp_path)
    assert table.device_of("/var/log") == "8:3"
    assert (table.device(30), table.device(31), table.device(99)) == ("8:2", "8:3", None)


def test_a_point_with_a_space_or_undecodable_bytes_in_its_name_is_found(tmp_path: Path) -> None:
    process(
        tmp_path,
        "self",
        ROOT_MOUNT,
        r"40 22 0:50 / /mnt/a\040b rw - nfs x rw",
        "41 22 0:51 / /mnt/\udcff rw - nfs x rw",
    )
    table = MountTable(tmp_path)
    assert table.device_of("/mnt/a b/file") == "0:50" and table.device_of("/mnt/\udcff/file") == "0:51"
    assert table.points() == {"/", "/mnt/a b", "/mnt/\udcff"}


def test_another_namespace_is_another_view_and_the_same_is_read_once(tmp_path: Path) -> None:
    process(tmp_path, "self", ROOT_MOUNT)
    process(tmp_path, "7", "50 1 0:60 / / rw - overlay overlay rw", namespace="mnt:[2]")
    like_mine = process(tmp_path, "8", ROOT_MOUNT)
    table = MountTable(tmp_path)
    assert table.device_of("/srv") == "8:1" and table.device_of("/srv", "7") == "0:60"
    like_mine.unlink()
    assert table.device_of("/srv", "8") == "8:1"


def test_of_a_process_that_has_ended_nothing_can_be_told(tmp_path: Path) -> None:
    table = MountTable(tmp_path)
    assert table.device_of("/srv", "7") is None and table.device(22, "7") is None and table.points() == frozenset()


def test_lines_that_make_no_sense_are_passed_over(tmp_path: Path) -> None:
    process(tmp_path, "self", "", "x 1 8:9 / / rw", "22 1", ROOT_MOUNT)
    assert MountTable(tmp_path).points() == {"/"}
