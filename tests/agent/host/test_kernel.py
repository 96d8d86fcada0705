"""What this kernel counts, and what is made of files as other kernels have them."""

import os
import socket
from pathlib import Path

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host import Tasks, kernel
from guardian_agent.host.kernel import LocalKernel

PSI = Path("/proc/pressure/memory").exists()


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kernel, "PROC", tmp_path)
    monkeypatch.setattr(kernel, "COUNTERS", (tmp_path / "snmp", tmp_path / "netstat"))
    monkeypatch.setattr(kernel, "SYSCTLS", tmp_path)
    return tmp_path


async def test_memory_is_told_in_bytes(proc: Path) -> None:
    (proc / "meminfo").write_text(
        "MemTotal: 100 kB\nMemAvailable:  50 kB\nSwapTotal: 10 kB\nSwapFree: 5 kB\nHugePages_Total:  0\nVmalloc:\n"
    )
    memory = await LocalKernel().memory()
    assert (memory.total_bytes, memory.available_bytes) == (102400, 51200)
    assert (memory.swap_total_bytes, memory.swap_free_bytes) == (10240, 5120)


async def test_memory_that_cannot_be_told_says_why(proc: Path) -> None:
    with pytest.raises(ProbeError, match="meminfo: No such file"):
        await LocalKernel().memory()
    (proc / "meminfo").write_text("MemTotal: 100 kB\n")
    with pytest.raises(ProbeError, match="no MemAvailable"):
        await LocalKernel().memory()


async def test_this_machine_has_memory_and_processors() -> None:
    memory = await LocalKernel().memory()
    assert memory.total_bytes > memory.available_bytes > 0
    assert await LocalKernel().processors() == len(os.sched_getaffinity(0))


async def test_counters_are_those_of_the_protocol_in_either_file(proc: Path) -> None:
    (proc / "snmp").write_text("Ip: Forwarding TTL\nIp: 1 64\nTcp: MaxConn ActiveOpens\nTcp: -1 7\n")
    (proc / "netstat").write_text("TcpExt: SyncookiesSent\nTcpExt: 3\n")
    assert await LocalKernel().counters("Tcp") == {"MaxConn": -1, "ActiveOpens": 7}
    assert await LocalKernel().counters("TcpExt") == {"SyncookiesSent": 3}
    with pytest.raises(ProbeError, match="counts nothing of Sctp"):
        await LocalKernel().counters("Sctp")


async def test_this_kernel_counts_the_connections_that_are_opened() -> None:
    before = (await LocalKernel().counters("Tcp"))["ActiveOpens"]
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        assert (await LocalKernel().counters("Tcp"))["ActiveOpens"] > before


async def test_a_setting_is_read_by_its_name_with_dots_or_slashes(proc: Path) -> None:
    folder = proc / "net" / "conf" / "eth0.100"
    folder.mkdir(parents=True)
    (folder / "rp_filter").write_text("2\n")
    assert await LocalKernel().sysctl("net.conf.eth0/100.rp_filter") == "2"
    assert await LocalKernel().sysctl("net.conf.eth0/100.none") is None
    assert await LocalKernel().sysctl("net.conf.eth0/100.rp_filter.below") is None
    with pytest.raises(ProbeError, match="Is a directory"):
        await LocalKernel().sysctl("net.conf")


@pytest.mark.parametrize(
    "name", ["", "../etc/passwd", "net...x", "net.//.//x", "/etc/passwd", "net/ipv4", "a b", "a\0"]
)
async def test_what_is_no_name_of_a_setting_is_not_looked_for(name: str) -> None:
    with pytest.raises(ProbeError, match="no name of a kernel setting"):
        await LocalKernel().sysctl(name)


async def test_this_kernel_has_its_settings() -> None:
    assert (await LocalKernel().sysctl("kernel.ostype")) == "Linux"
    low, high = (await LocalKernel().sysctl("net.ipv4.ip_local_port_range") or "").split()
    assert int(low) < int(high)
    assert await LocalKernel().sysctl("net.ipv4.no_such_thing") is None


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of control groups with one that may have 20 tasks."""
    group = tmp_path / "system.slice" / "web.service"
    group.mkdir(parents=True)
    for name, content in (("current", "7"), ("max", "20"), ("events", "max 3")):
        (group / f"pids.{name}").write_text(content + "\n")
    monkeypatch.setattr(kernel, "_counts_tasks", lambda: tmp_path)
    return group


async def test_the_tasks_of_a_control_group_are_told_with_their_limit(groups: Path) -> None:
    assert await LocalKernel().tasks("/system.slice/web.service") == Tasks(current=7, limit=20, refused=3)
    (groups / "pids.max").write_text("max\n")
    assert await LocalKernel().tasks("/system.slice/web.service") == Tasks(current=7, limit=None, refused=3)


async def test_of_a_group_that_is_not_there_or_not_counted_nothing_is_told(
    groups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await LocalKernel().tasks("/system.slice/none.service") is None
    assert await LocalKernel().tasks("") is None
    (groups / "pids.current").write_text("many")
    with pytest.raises(ProbeError, match="many"):
        await LocalKernel().tasks("/system.slice/web.service")
    monkeypatch.setattr(kernel, "_counts_tasks", lambda: None)
    assert await LocalKernel().tasks("/system.slice/web.service") is None


HYBRID = """\
40 31 0:37 / /cg/systemd rw - cgroup cgroup rw,name=systemd
39 31 0:36 / /cg/pids rw - cgroup cgroup rw,pids
41 31 0:38 / /cg/unified rw - cgroup2 cgroup2 rw
"""


async def test_tasks_are_counted_by_version_1_in_a_hybrid_setup_else_by_version_2(proc: Path) -> None:
    (proc / "self").mkdir()
    find = kernel._counts_tasks.__wrapped__
    (proc / "self" / "mountinfo").write_text(HYBRID)
    assert find() == Path("/cg/pids")
    (proc / "self" / "mountinfo").write_text(f"41 31 0:38 / {proc}/cg rw - cgroup2 cgroup2 rw\n")
    assert find() is None
    (proc / "cg").mkdir()
    (proc / "cg" / "cgroup.controllers").write_text("cpu memory pids\n")
    assert find() == proc / "cg"


async def test_the_clock_and_pressure_are_asked_of_this_kernel() -> None:
    offset_s = await LocalKernel().clock_offset_s()
    assert offset_s is None or abs(offset_s) <= 0.5
    if PSI:
        assert (await LocalKernel().pressure("memory")).some_avg10 >= 0
    events = LocalKernel().pressure_events()
    await events.aclose()
