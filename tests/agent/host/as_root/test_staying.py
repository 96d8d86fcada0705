import os
from pathlib import Path

import pytest
from tests.agent.host.as_root.old_files import AN_HOUR_S, old

from guardian_agent.host.as_root.open_files import Opened
from guardian_agent.host.as_root.removable import seen
from guardian_agent.host.as_root.staying import why_it_stays

NOTHING_OPEN = Opened(frozenset(), frozenset())


def test_a_file_as_it_was_seen_old_enough_and_closed_may_go(tmp_path: Path) -> None:
    file = old(tmp_path / "a")
    assert why_it_stays((tmp_path / "a").lstat(), file, AN_HOUR_S, NOTHING_OPEN) == ""


@pytest.mark.parametrize("by", ["device and inode", "the inode alone"])
def test_what_is_open_stays(tmp_path: Path, by: str) -> None:
    file, state = old(tmp_path / "a"), (tmp_path / "a").lstat()
    whole = Opened(frozenset({(state.st_dev, state.st_ino)}), frozenset())
    opened = whole if by == "device and inode" else Opened(frozenset(), frozenset({state.st_ino}))
    assert why_it_stays(state, file, AN_HOUR_S, opened) == "is open"


def test_what_is_too_young_stays_also_when_its_time_is_to_come(tmp_path: Path) -> None:
    old(tmp_path / "a")
    for wall_s in (None, (4e9, 4e9)):  # now, and in the year 2096
        os.utime(tmp_path / "a", wall_s)
        state = (tmp_path / "a").lstat()
        assert why_it_stays(state, seen("a", state), AN_HOUR_S, NOTHING_OPEN) == "is too young"


def test_what_has_changed_since_it_was_seen_stays(tmp_path: Path) -> None:
    file = old(tmp_path / "a")
    with (tmp_path / "a").open("ab") as log:
        log.write(b"x")
    os.utime(tmp_path / "a", ns=(file.modified_wall_ns, file.modified_wall_ns))
    assert why_it_stays((tmp_path / "a").lstat(), file, AN_HOUR_S, NOTHING_OPEN) == "has changed"


def test_another_file_of_its_name_stays(tmp_path: Path) -> None:
    file = old(tmp_path / "a")
    old(tmp_path / "b")
    assert why_it_stays((tmp_path / "b").lstat(), file, AN_HOUR_S, NOTHING_OPEN) == "is another file now"


@pytest.mark.parametrize("kind", ["a folder", "a link", "two names"])
def test_what_is_no_regular_file_with_one_name_stays(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    match kind:
        case "a folder":
            path.mkdir()
        case "a link":
            path.symlink_to(tmp_path)
        case _:
            old(path)
            (tmp_path / "b").hardlink_to(path)
    state = path.lstat()
    assert why_it_stays(state, seen("a", state), 0.0, NOTHING_OPEN) == "is no regular file with one name"
