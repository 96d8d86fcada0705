import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardian_agent.host.as_root import paths
from guardian_agent.host.as_root.paths import Marks, place


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_with_its_marks_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("old")
    (tmp_path / ".resolv.conf.guardian").write_text("a try that died")
    wanted = Marks(uid=os.getuid(), gid=os.getgid(), mode=0o640, modified_ns=5_000, attributes={b"user.who": b"me"})
    with place(str(file)) as where:
        paths.replace(where, (b"n", b"ew"), wanted)
        kept = paths.marks(opened := paths.opened(where))
        os.close(opened)
        assert paths.read(where, 3) == b"new"
    assert (kept.uid, kept.mode, kept.modified_ns) == (os.getuid(), 0o640, 5_000)
    assert kept.attributes[b"user.who"] == b"me"
    assert names(tmp_path) == ["resolv.conf"]


def test_set_user_id_outlives_the_change_of_owner(tmp_path: Path) -> None:
    with place(str(tmp_path / "tool")) as where:
        paths.replace(where, b"x", Marks(uid=12345, gid=12345, mode=0o4755))
        assert (found := where.stat()) is not None
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (12345, 0o4755)


def test_a_replacement_that_fails_half_way_leaves_all_as_it_was(tmp_path: Path) -> None:
    def breaks_off() -> Iterator[bytes]:
        yield b"half"
        raise OSError(28, "No space left on device")

    (tmp_path / "file").write_text("old")
    with place(str(tmp_path / "file")) as where, pytest.raises(OSError, match="No space"):
        paths.replace(where, breaks_off(), Marks())
    assert names(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "old"


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "link").symlink_to("precious")
    with place(str(tmp_path / "link")) as where:
        with pytest.raises(OSError, match="symbolic links"):
            paths.opened(where)
        assert where.target() == "precious"
        paths.replace(where, b"new", Marks())
    assert (tmp_path / "precious").read_text() == "precious" and not (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("swapped", ["a", "a/b"])
def test_no_folder_of_a_path_may_be_a_link(tmp_path: Path, swapped: str) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_text("x")
    (tmp_path / swapped).rename(tmp_path / "moved")
    (tmp_path / swapped).symlink_to(tmp_path / "moved")
    assert (tmp_path / "a/b/file").exists()
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"), place(f"{tmp_path}/a/b/file"):
        pass


@pytest.mark.parametrize("path", ["", "/", "etc/hosts", "/etc/../hosts", "/etc//hosts", "/etc/./hosts", "/a\0b"])
def test_what_is_no_plain_absolute_path_is_no_place(path: str) -> None:
    with pytest.raises(ValueError, match="no plain absolute path"), place(path):
        pass


def test_only_a_regular_file_of_no_more_than_so_many_bytes_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "big").write_bytes(b"x" * 11)
    with place(str(tmp_path / "pipe")) as where, pytest.raises(OSError, match="no regular file"):
        paths.read(where, 10)
    with place(str(tmp_path / "big")) as where, pytest.raises(OSError, match="too large"):
        paths.read(where, 10)


def test_a_link_says_what_it_is_told_to_the_letter(tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to("releases/2")
    with place(str(tmp_path / "current")) as where:
        paths.replace_by_link(where, "./releases//1/", Marks(uid=12345, gid=12345, modified_ns=7_000))
        assert where.target() == "./releases//1/"
        assert (found := where.stat()) is not None and (found.st_uid, found.st_mtime_ns) == (12345, 7_000)
        paths.remove(where)
        paths.remove(where)
    assert names(tmp_path) == []


def test_a_private_folder_is_made_once_and_refused_when_it_is_open_to_others(tmp_path: Path) -> None:
    for _ in range(2):
        with paths.private_folder(f"{tmp_path}/lib/quarantine"):
            pass
    assert stat.S_IMODE((tmp_path / "lib/quarantine").stat().st_mode) == 0o700
    (tmp_path / "lib/quarantine").chmod(0o711)
    with pytest.raises(PermissionError, match="open to others"), paths.private_folder(f"{tmp_path}/lib/quarantine"):
        pass


def test_what_others_could_have_put_there_is_not_trusted(tmp_path: Path) -> None:
    file = tmp_path / "good/copy"
    file.parent.mkdir()
    file.write_text("x")
    paths.trusted(str(file))
    for path, mode in ((file, 0o664), (file, 0o646), (file.parent, 0o775), (tmp_path, 0o777)):
        before = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode)
        with pytest.raises(PermissionError, match="others can write"):
            paths.trusted(str(file))
        path.chmod(before)
    os.chown(file.parent, 12345, 0)
    with pytest.raises(PermissionError, match="is not root's"):
        paths.trusted(str(file))


def test_what_is_put_in_the_place_of_a_new_link_gets_no_other_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "roots").write_text("secret")
    real = os.symlink

    def swapped(target: str, name: str, *, dir_fd: int) -> None:
        real(target, name, dir_fd=dir_fd)
        os.unlink(name, dir_fd=dir_fd)
        os.link(tmp_path / "roots", name, dst_dir_fd=dir_fd)

    monkeypatch.setattr(os, "symlink", swapped)
    with place(str(tmp_path / "link")) as where, pytest.raises(OSError, match="no link any more"):
        paths.replace_by_link(where, "elsewhere", Marks(uid=12345, gid=12345, modified_ns=5))
    assert (tmp_path / "roots").stat().st_uid == os.geteuid()
