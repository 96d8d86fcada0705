"""The disk space kept aside is really there, is given once, and is never worth a failed start."""

import errno
import logging
import os
import time
from pathlib import Path

import pytest

from guardian_agent.errors import StateError
from guardian_agent.state.reserve import TAKE_BACK_S, Reserve

SIZE = 1 << 20


def test_its_blocks_are_allocated_and_its_owners_only(tmp_path: Path) -> None:
    file = tmp_path / "new" / "reserve"
    Reserve(file, SIZE).keep()
    assert (file.stat().st_size, file.stat().st_mode & 0o777) == (SIZE, 0o600)
    assert file.stat().st_blocks * 512 >= SIZE
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_it_is_given_up_once_and_kept_again_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reserve = Reserve(tmp_path / "reserve", SIZE)
    reserve.keep()
    assert reserve.give_up()
    assert not (tmp_path / "reserve").exists()
    assert not reserve.give_up()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    reserve.keep()
    reserve.keep()
    assert (tmp_path / "reserve").stat().st_size == SIZE


def test_it_is_taken_back_when_some_time_has_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve = Reserve(tmp_path / "reserve", SIZE)
    reserve.keep()
    reserve.give_up()
    reserve.take_back()
    assert not (tmp_path / "reserve").exists()
    later_s = time.monotonic() + TAKE_BACK_S
    monkeypatch.setattr(time, "monotonic", lambda: later_s)
    reserve.take_back()
    assert reserve.give_up()


def test_with_size_0_there_is_none(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "new" / "reserve", 0)
    reserve.keep()
    assert list(tmp_path.iterdir()) == []
    assert not reserve.give_up()


def test_a_disk_without_room_for_it_is_only_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    Reserve(tmp_path / "reserve", SIZE).keep()
    assert "no reserve for a full disk: No space left on device" in caplog.text


def test_a_link_in_its_place_is_not_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "theirs").write_text("precious")
    (tmp_path / "reserve").symlink_to(tmp_path / "theirs")
    Reserve(tmp_path / "reserve", SIZE).keep()
    assert (tmp_path / "theirs").read_text() == "precious"
    assert "no reserve" in caplog.text


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=f"{tmp_path / 'file'}: cannot be used as state folder"):
        Reserve(tmp_path / "file" / "reserve", SIZE).keep()
