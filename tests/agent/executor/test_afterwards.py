import os
from pathlib import Path

import pytest
from tests.agent.executor.fakes import ALLOWED, MTU_BEFORE, UP

from guardian_agent.executor.afterwards import Afterwards


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "armed.json"


def test_what_was_noted_last_is_left(file: Path) -> None:
    Afterwards(file).note([UP])
    Afterwards(file).note([UP, MTU_BEFORE])
    assert Afterwards(file).left() == [UP, MTU_BEFORE]
    assert file.stat().st_mode & 0o777 == 0o600
    Afterwards(file).note([])
    assert Afterwards(file).left() == []
    assert list(file.parent.iterdir()) == []


def test_what_cannot_cut_the_host_off_is_never_taken_back(file: Path) -> None:
    Afterwards(file).note([ALLOWED, UP])
    assert Afterwards(file).left() == [UP]


@pytest.mark.parametrize(
    "raw", [b"", b"nonsense", b"\xff", b'{"type":"SetLink"}', b"[" * 10**6, b'[{"type":"Reboot"}]']
)
def test_what_makes_no_sense_says_nothing_and_is_removed(file: Path, raw: bytes) -> None:
    file.write_bytes(raw)
    file.chmod(0o600)
    assert Afterwards(file).left() == []
    assert not file.exists()


def test_what_others_could_have_written_says_nothing(file: Path, tmp_path: Path) -> None:
    Afterwards(file).note([UP])
    file.chmod(0o622)
    assert Afterwards(file).left() == []
    file.unlink()
    Afterwards(tmp_path / "other.json").note([UP])
    file.symlink_to(tmp_path / "other.json")
    assert Afterwards(file).left() == []
    file.unlink()
    os.mkfifo(file)
    assert Afterwards(file).left() == []


def test_a_folder_that_cannot_be_written_to_stops_nothing(tmp_path: Path) -> None:
    Afterwards(tmp_path / "gone" / "armed.json").note([UP])
    Afterwards(tmp_path / "gone" / "armed.json").note([])
