import pytest

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host.as_root import settings
from guardian_agent.host.operations import WriteSysctl


async def test_a_setting_is_written_where_the_kernel_has_it(tmp_path, monkeypatch):
    (tmp_path / "range").write_text("1 2\n")
    monkeypatch.setattr(settings, "sysctl_path", lambda name: str(tmp_path / name))
    await settings.write(WriteSysctl("range", "3\t4"))
    assert (tmp_path / "range").read_text() == "3\t4\n"


@pytest.mark.parametrize("name", ["net", "../etc/passwd", "net..ipv4", "net.ipv4/../x", "", "net.ipv4.no_such_setting"])
async def test_what_is_no_setting_is_refused(name):
    with pytest.raises(RefusedOperationError, match="setting"):
        await settings.write(WriteSysctl(name, "1"))


async def test_a_value_that_the_kernel_does_not_take_fails():
    with pytest.raises(OperationError, match=r"sysctl -w net\.ipv4\.ip_local_port_range"):
        await settings.write(WriteSysctl("net.ipv4.ip_local_port_range", "neither"))
