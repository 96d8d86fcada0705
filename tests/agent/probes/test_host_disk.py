import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_machine import ROOT
from tests.agent.probes.asking import look, sees

from guardian_agent.host import FileSystem, KnownGood
from guardian_agent.probes.host_disk import HostDisk

GIB = 1 << 30
MIB = 1 << 20


def disk(mount: str = "/data", **values: object) -> FileSystem:
    return msgspec.structs.replace(ROOT, mount=mount, **values)


@pytest.mark.parametrize(
    ("size", "available", "issue_type"),
    [
        (4 * MIB, 0, "disk_full"),
        (4 * MIB, 84 * 1024, ""),
        (500 * MIB, 11 * MIB, ""),  # a /boot with three kernels
        (3 * GIB, 63 * MIB, "disk_full"),
        (3 * GIB, 65 * MIB, ""),
        (100 * GIB, 1 * GIB, "disk_full"),
        (100 * GIB, 3 * GIB, ""),
        (20_000 * GIB, 5 * GIB, ""),  # a big disk that somebody fills to the brim on purpose
        (20_000 * GIB, 3 * GIB, "disk_full"),
    ],
)
async def test_how_much_must_be_left_depends_on_the_size(size: int, available: int, issue_type: str) -> None:
    host = FakeHost()
    host.files.mounted.append(disk(size_bytes=size, available_bytes=available))
    assert await sees(HostDisk, host) == issue_type


async def test_a_disk_without_inodes_is_exhausted_and_one_that_has_no_number_of_them_is_not() -> None:
    host = FakeHost()
    host.files.mounted.append(disk(inodes=64, inodes_available=1))
    assert await sees(HostDisk, host) == "inode_exhausted"
    host.files.mounted[-1] = disk(kind="btrfs", inodes=0, inodes_available=0)
    assert await sees(HostDisk, host) == ""


async def test_a_disk_that_was_writable_and_is_not_any_more_is_read_only() -> None:
    host = FakeHost()
    host.files.mounted.append(disk(read_only=True, available_bytes=0))
    assert await sees(HostDisk, host) == "", "perhaps it is meant to be"
    host.known.good = KnownGood(file_systems={"/data": False})
    assert await sees(HostDisk, host) == ""
    host.known.good = KnownGood(file_systems={"/data": True})
    assert await sees(HostDisk, host) == "disk_read_only"


async def test_what_the_kernel_itself_made_read_only_needs_no_comparison() -> None:
    host = FakeHost()
    host.files.mounted.append(disk(read_only=True, forced_read_only=True))
    assert await sees(HostDisk, host) == "disk_read_only"


async def test_the_worst_one_is_named_and_the_others_with_it() -> None:
    host = FakeHost()
    host.files.mounted += [disk("/a", available_bytes=1), disk("/b", available_bytes=0), disk("/c", inodes_available=0)]
    evidence = (await look(HostDisk, host)).evidence
    assert (evidence["mount"], evidence["available_mib"], evidence["also"]) == ("/b", 0.0, "/a, /c")


async def test_what_an_operator_says_to_ignore_is_not_judged() -> None:
    host = FakeHost()
    host.files.mounted.append(disk("/scratch", available_bytes=0))
    assert (await HostDisk(ignore=("/scratch",)).look(host)).ok
    assert not (await HostDisk(ignore=("/", "/scratches")).look(host)).ok


async def test_a_host_with_no_disk_to_judge_is_good() -> None:
    host = FakeHost()
    host.files.mounted.clear()
    assert (await look(HostDisk, host)).evidence == {"file_systems": 0}
