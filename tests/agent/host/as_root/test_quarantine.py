import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardian_agent.host.as_root import paths
from guardian_agent.host.as_root.quarantine import Kept, Quarantine

PATH = "/usr/bin/tool"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "quarantine"


@pytest.fixture
def quarantine(folder: Path) -> Quarantine:
    return Quarantine(str(folder))


def found(content: bytes, path: str = PATH, at_wall_s: float = 1.0) -> Kept:
    return Kept(path=path, kind="file", kept_at_wall_s=at_wall_s, sha256=hashlib.sha256(content).hexdigest())


def keep(quarantine: Quarantine, content: bytes, path: str = PATH, at_wall_s: float = 1.0) -> None:
    quarantine.keep("tool-1", found(content, path, at_wall_s), lambda: [content])


def content_of(quarantine: Quarantine, name: str = "tool-1") -> bytes | None:
    with quarantine.kept(name, PATH) as kept:
        return kept and paths.read(kept[1], 1000)


def test_what_is_kept_is_there_with_its_content_until_it_is_forgotten(quarantine: Quarantine, folder: Path) -> None:
    assert content_of(quarantine) is None
    keep(quarantine, b"bad")
    with quarantine.kept("tool-1", PATH) as kept:
        assert kept is not None and kept[0] == found(b"bad") and paths.read(kept[1], 1000) == b"bad"
    quarantine.forget("tool-1")
    assert content_of(quarantine) is None and list(folder.iterdir()) == []


def test_the_same_is_not_kept_twice_whenever_it_was_looked_at(quarantine: Quarantine, folder: Path) -> None:
    keep(quarantine, b"bad")
    quarantine.keep("tool-1", found(b"bad", at_wall_s=2.0), lambda: pytest.fail("its content is here already"))
    assert [entry.name for entry in folder.iterdir()] == ["tool-1"]


def test_another_content_of_the_path_makes_room_and_nothing_is_written_over(
    quarantine: Quarantine, folder: Path
) -> None:
    for content in (b"first", b"second", b"third"):
        keep(quarantine, content)
    kept = {entry.name: (entry / "content").read_bytes() for entry in folder.iterdir()}
    assert kept == {"tool-1": b"third", "tool-1~1": b"first", "tool-1~2": b"second"}


def test_what_was_at_another_path_is_neither_handed_out_nor_replaced(quarantine: Quarantine) -> None:
    keep(quarantine, b"bad")
    with pytest.raises(ValueError, match=f"was at {PATH}"), quarantine.kept("tool-1", "/etc/shadow"):
        pass
    with pytest.raises(ValueError, match=f"was at {PATH}"):
        keep(quarantine, b"other", "/etc/shadow")
    assert content_of(quarantine) == b"bad"


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\0b", ".hidden", "tool-1~1", "x" * 201])
def test_what_is_no_name_is_refused(quarantine: Quarantine, name: str) -> None:
    with pytest.raises(ValueError, match="no name"), quarantine.kept(name, PATH):
        pass
    with pytest.raises(ValueError, match="no name"):
        quarantine.keep(name, found(b"bad"), lambda: [b"bad"])
    with pytest.raises(ValueError, match="no name"):
        quarantine.forget(name)


def test_without_its_description_nothing_is_kept_and_the_next_try_is_whole(quarantine: Quarantine) -> None:
    def cut_short() -> Iterator[bytes]:
        yield b"ba"
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        quarantine.keep("tool-1", found(b"bad"), cut_short)
    assert content_of(quarantine) is None
    keep(quarantine, b"bad")
    assert content_of(quarantine) == b"bad"


@pytest.mark.parametrize("description", [b"", b"{", b"\xff", b"[" * 10_000, b'{"path": 1}'])
def test_a_description_that_makes_no_sense_says_so_and_makes_room(
    quarantine: Quarantine, folder: Path, description: bytes
) -> None:
    keep(quarantine, b"bad")
    (folder / "tool-1/kept.json").write_bytes(description)
    with pytest.raises(ValueError, match="makes no sense"), quarantine.kept("tool-1", PATH):
        pass
    keep(quarantine, b"bad")
    assert content_of(quarantine) == b"bad" and (folder / "tool-1~1/content").read_bytes() == b"bad"


@pytest.mark.parametrize("inside", ["", "tool-1"])
def test_a_folder_that_others_can_enter_is_not_believed(quarantine: Quarantine, folder: Path, inside: str) -> None:
    keep(quarantine, b"bad")
    (folder / inside).chmod(0o750)
    with pytest.raises(PermissionError, match="open to others"), quarantine.kept("tool-1", PATH):
        pass


def test_no_link_in_its_place_is_followed(quarantine: Quarantine, folder: Path, tmp_path: Path) -> None:
    keep(quarantine, b"bad")
    (folder / "tool-1").rename(tmp_path / "elsewhere")
    (folder / "tool-1").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"), quarantine.kept("tool-1", PATH):
        pass
