from pathlib import Path

import pytest

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host.as_root import settings
from guardian_agent.host.as_root.before import Memory
from guardian_agent.host.as_root.settings import Settings
from guardian_agent.host.operations import ResetSysctl, WriteSysctl


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "before")


@pytest.fixture
def root(folder: str) -> Settings:
    return Settings(Memory(folder))


@pytest.fixture
def range_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings, "sysctl_path", lambda name: str(tmp_path / name))
    (tmp_path / "range").write_text("1\t2\n")
    return tmp_path / "range"


async def test_a_setting_is_written_where_the_kernel_has_it_and_put_back_by_whoever_is_root_then(root, range_, folder):
    await root.change(WriteSysctl("range", "3 4"))
    assert range_.read_text() == "3 4\n"
    await root.change(WriteSysctl("range", "3 4"))  # once more, and what was before is still known
    for _ in range(2):
        await Settings(Memory(folder)).change(ResetSysctl("range"))
        assert range_.read_text() == "1 2\n"


async def test_what_root_has_not_written_is_not_put_back(root, range_):
    await root.change(ResetSysctl("range"))
    assert range_.read_text() == "1\t2\n"
    await root.change(WriteSysctl("range", "3 4"))
    range_.write_text("5\t6\n")  # by somebody else, later
    await root.change(ResetSysctl("range"))
    assert range_.read_text() == "5\t6\n"


async def test_it_goes_back_one_change(root, range_):
    await root.change(WriteSysctl("range", "3 4"))
    await root.change(WriteSysctl("range", "5 6"))
    await root.change(ResetSysctl("range"))
    assert range_.read_text() == "3 4\n"


@pytest.mark.parametrize("name", ["net", "../etc/passwd", "net..ipv4", "net.ipv4/../x", "", "net.ipv4.no_such_setting"])
async def test_what_is_no_setting_is_refused(root, name):
    with pytest.raises(RefusedOperationError, match="setting"):
        await root.change(WriteSysctl(name, "1"))


async def test_a_value_that_the_kernel_does_not_take_fails(root):
    with pytest.raises(OperationError, match=r"sysctl -w net\.ipv4\.ip_local_port_range"):
        await root.change(WriteSysctl("net.ipv4.ip_local_port_range", "neither"))
