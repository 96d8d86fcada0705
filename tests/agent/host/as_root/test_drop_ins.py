import asyncio
from pathlib import Path
from typing import Any

import pytest

from guardian_agent.errors import OperationError, RefusedOperationError, UnknownResultError
from guardian_agent.host.as_root import drop_ins
from guardian_agent.host.operations import RemoveDropIn, WriteDropIn
from guardian_agent.host.operations.drop_ins import drop_in_path

WRITE = WriteDropIn("web.service", "50-x.conf", "[Service]\nEnvironment=PORT=1\n")
REMOVE = RemoveDropIn("web.service", "50-x.conf")


class Manager:
    """systemd, which is only told to read its files again."""

    def __init__(self, failure: OperationError | None = None) -> None:
        self.reloads = 0
        self._failure = failure

    async def reload_manager(self) -> None:
        self.reloads += 1
        if self._failure is not None:
            raise self._failure


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(drop_ins, "FOLDER", str(tmp_path))
    return tmp_path


def change(operation: WriteDropIn | RemoveDropIn, manager: Manager | None = None) -> Manager:
    manager = manager or Manager()
    units: Any = manager
    asyncio.run(drop_ins.change(units, operation))
    return manager


def test_it_is_written_for_all_to_read_and_removed_without_a_trace(folder: Path) -> None:
    for _ in range(2):
        assert change(WRITE).reloads == 1
    file = folder / "web.service.d/50-x.conf"
    assert file.read_text() == WRITE.text and file.stat().st_mode & 0o777 == 0o644
    assert [one.name for one in file.parent.iterdir()] == ["50-x.conf"]
    for _ in range(2):
        assert change(REMOVE).reloads == 1
    assert list(folder.iterdir()) == []


def test_what_somebody_else_dropped_in_stays(folder: Path) -> None:
    (folder / "web.service.d").mkdir()
    (folder / "web.service.d/other.conf").write_text("")
    change(WRITE)
    change(REMOVE)
    assert [one.name for one in (folder / "web.service.d").iterdir()] == ["other.conf"]


def test_no_link_is_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / "web.service.d").symlink_to(elsewhere)
    for operation in (WRITE, REMOVE):
        with pytest.raises(OperationError):
            change(operation)
    assert list(elsewhere.iterdir()) == []
    (folder / "web.service.d").unlink()
    (folder / "web.service.d").mkdir()
    (folder / "web.service.d/50-x.conf").symlink_to(elsewhere / "victim")
    change(WRITE)  # the link itself is replaced
    assert list(elsewhere.iterdir()) == [] and not (folder / "web.service.d/50-x.conf").is_symlink()


@pytest.mark.parametrize(
    ("unit", "name"),
    [("../web.service", "x.conf"), ("web.service", "../x.conf"), ("web.service", ".x.conf"), ("web", "x.conf")],
)
def test_what_is_no_name_is_refused(folder: Path, unit: str, name: str) -> None:
    for operation in (WriteDropIn(unit, name, ""), RemoveDropIn(unit, name)):
        with pytest.raises(RefusedOperationError, match="no names of a unit"):
            change(operation)
    assert list(folder.iterdir()) == []


def test_it_lies_where_it_is_gone_after_a_reboot() -> None:
    assert drop_in_path("web.service", "50-x.conf") == "/run/systemd/system/web.service.d/50-x.conf"


@pytest.mark.parametrize("refused", [RefusedOperationError("no"), OperationError("no")])
def test_a_reload_that_was_refused_leaves_something_done(folder: Path, refused: OperationError) -> None:
    with pytest.raises(OperationError, match="daemon-reload: no") as raised:
        change(WRITE, Manager(refused))
    assert not isinstance(raised.value, RefusedOperationError)


def test_a_bus_that_is_gone_may_come_again(folder: Path) -> None:
    with pytest.raises(UnknownResultError):
        change(REMOVE, Manager(UnknownResultError("no bus")))
