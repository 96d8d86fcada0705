"""What services take of the machine, in control groups as kernels of both versions lay them out."""

from pathlib import Path

import pytest

from guardian_agent.host import UnitLoad, loads
from guardian_agent.host.loads import Hierarchies, hierarchies

HYBRID = """24 19 0:22 / /sys/fs/cgroup ro - tmpfs tmpfs ro
25 24 0:23 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
26 24 0:24 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
27 24 0:25 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
28 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
29 24 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
"""
PRESSURE = "some avg10=12.50 avg60=3.20 avg300=1.00 total=1500000\n"


def write(group: Path, **files: str) -> None:
    group.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (group / name.replace("_", ".", 1)).write_text(text)


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(loads, "MOUNTS", tmp_path / "mountinfo")
    (tmp_path / "mountinfo").write_text(f"25 24 0:23 / {tmp_path}/v2 rw - cgroup2 cgroup2 rw\n")
    return tmp_path


def found() -> dict[str, UnitLoad]:
    return {load.unit: load for load in loads.unit_loads()}


def test_the_hierarchies_of_a_hybrid_setup_are_told_apart() -> None:
    base = Path("/sys/fs/cgroup")
    assert hierarchies(HYBRID) == Hierarchies(
        unified=base / "unified", cpu=base / "cpu,cpuacct", memory=base / "memory", pids=base / "pids"
    )
    assert hierarchies("24 19 0:22 / /sys ro - sysfs sysfs ro\n") is None


def test_every_service_and_scope_is_told_once_with_what_it_takes(mounted: Path) -> None:
    web = mounted / "v2/system.slice/web.service"
    write(
        web,
        cpu_stat="usage_usec 2500000\nuser_usec 1\n",
        cpu_pressure=PRESSURE,
        cpu_weight="100\n",
        cpu_max="max 100000\n",
        memory_current="4096\n",
        pids_current="7\n",
        io_stat="8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=5 wbytes=0\n",
    )
    write(web / "below.service")
    write(mounted / "v2/init.scope", cpu_stat="usage_usec 1000000\n")
    (mounted / "v2/system.slice/no-unit").mkdir()
    units = found()
    assert sorted(units) == ["init.scope", "web.service"]
    assert units["web.service"] == UnitLoad(
        unit="web.service",
        control_group="/system.slice/web.service",
        cpu_s=2.5,
        cpu_waited_percent=12.5,
        memory_bytes=4096,
        io_bytes=35,
        tasks=7,
    )
    assert units["init.scope"].cpu_waited_percent is None and units["init.scope"].memory_bytes is None


def test_a_weight_below_the_usual_one_or_a_quota_tells_a_unit_and_all_in_a_slice_to_wait(mounted: Path) -> None:
    write(mounted / "v2/a.service", cpu_weight="99\n")
    write(mounted / "v2/b.service", cpu_weight="100\n", cpu_max="20000 100000\n")
    write(mounted / "v2/c.service", cpu_weight="10000\n", cpu_max="max 100000\n")
    write(mounted / "v2/low.slice", cpu_weight="20\n")
    write(mounted / "v2/low.slice/d.service", cpu_weight="100\n")
    assert {unit: load.cpu_low for unit, load in found().items()} == {
        "a.service": True, "b.service": True, "c.service": False, "d.service": True,
    }  # fmt: skip


def test_where_controllers_are_of_version_1_they_tell(mounted: Path) -> None:
    with (mounted / "mountinfo").open("a") as mountinfo:
        for name in ("cpu", "memory", "pids"):
            mountinfo.write(f"27 24 0:25 / {mounted}/{name} rw - cgroup cgroup rw,{name}\n")
    for unit, shares, quota in (("a.service", 102, -1), ("b.service", 1024, 2000), ("c.service", 1024, -1)):
        write(mounted / f"v2/{unit}", cpu_stat="usage_usec 1000000\n")
        write(mounted / f"cpu/{unit}", cpu_shares=f"{shares}\n", cpu_cfs_quota_us=f"{quota}\n")
        write(mounted / f"memory/{unit}", memory_usage_in_bytes="8192\n")
        write(mounted / f"pids/{unit}", pids_current="3\n")
    units = found()
    assert [load.cpu_low for load in units.values()] == [True, True, False]
    assert {(load.memory_bytes, load.tasks) for load in units.values()} == {(8192, 3)}


def test_without_control_groups_nothing_is_told(mounted: Path) -> None:
    (mounted / "mountinfo").write_text("")
    assert found() == {}
    (mounted / "mountinfo").unlink()
    assert found() == {}
