"""Which mounts count, by lines as hosts have them; and real file systems, mounted in a namespace of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from guardian_agent.host import mounts
from guardian_agent.host.mounts import Mount, fillable, parse

HOST = """\
1 1 0:2 / / rw - rootfs rootfs rw
22 27 0:21 / /proc rw,relatime - proc proc rw
24 27 0:6 / /dev rw,relatime - devtmpfs udev rw,size=12334460k,nr_inodes=3083615,mode=755
25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=24684084k
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro
28 27 0:25 / /run rw,nosuid - tmpfs tmpfs rw,size=4936820k
29 28 0:26 / /run/user/1000 rw,nosuid - tmpfs tmpfs rw,size=2468412k
30 27 0:27 / /tmp rw,nosuid - tmpfs tmpfs rw
31 27 7:1 / /snap/core/1 ro,nodev - squashfs /dev/loop1 ro
32 27 11:0 / /media/cd ro - iso9660 /dev/sr0 ro
33 27 254:16 / /srv/my\\040data rw - xfs /dev/vdb rw
34 27 254:16 /sub /opt/door rw - xfs /dev/vdb rw
35 27 254:0 /var/chroot/etc /chroot/etc ro - ext4 /dev/vda rw,errors=remount-ro
36 27 0:40 / /mnt/nfs rw - nfs4 server:/x rw
37 27 0:41 / /var/lib/docker/overlay2/a/merged rw - overlay overlay rw,upperdir=/u
38 27 0:42 / /var/lib/docker/containers/a/mounts/shm rw - tmpfs shm rw,size=65536k
39 27 0:43 / /home rw - btrfs /dev/vdc rw,subvol=/home
40 27 0:43 /root /pool rw - btrfs /dev/vdc rw,subvol=/pool
41 27 0:44 / /tank rw - zfs tank rw
42 27 0:45 / /home/me/remote rw - fuse.sshfs me@host: rw
43 27 0:46 / /mnt/windows rw - fuseblk /dev/vdd1 rw
44 27 0:47 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
45 27 0:48 / /auto rw - autofs systemd-1 rw
"""


def mount(line: str) -> Mount:
    (one,) = parse(f"1 1 {line}")
    return one


def test_of_an_ordinary_host_the_disks_count_and_each_once() -> None:
    counted = [each.mount for each in fillable(parse(HOST))]
    assert counted == ["/", "/home", "/mnt/windows", "/run", "/srv/my data", "/tank", "/tmp"]


def test_of_two_mounts_at_one_place_the_later_counts() -> None:
    found = fillable(parse("1 0 8:1 / /data rw - ext4 /dev/sda1 rw\n2 0 8:2 / /data rw - xfs /dev/sdb1 rw\n"))
    assert [(each.mount, each.kind) for each in found] == [("/data", "xfs")]


def test_a_whole_file_system_goes_before_a_part_of_it() -> None:
    text = "1 0 8:1 /part /bind rw - ext4 /dev/sda1 rw\n2 0 8:1 / /data rw - ext4 /dev/sda1 rw\n"
    assert [each.mount for each in fillable(parse(text))] == ["/data"]


def test_a_containers_root_counts() -> None:
    assert fillable([mount("0:46 / / rw - overlay overlay rw,upperdir=/u")])


def test_a_line_that_makes_no_sense_is_left_out() -> None:
    assert parse("\n1 2 3\n1 0 8:1 / /data rw - ext4\n") == []


@pytest.mark.parametrize(
    ("line", "read_only", "forced"),
    [
        ("8:1 / /d rw - ext4 /dev/sda1 rw", False, False),
        ("8:1 / /d ro - ext4 /dev/sda1 ro", True, False),
        ("8:1 / /d ro - ext4 /dev/sda1 rw", True, False),
        ("8:1 / /d rw,relatime - ext4 /dev/sda1 ro,errors=remount-ro", True, True),
        ("8:1 / /d rw,relatime - ext4 /dev/sda1 rw,emergency_ro", True, True),
        ("0:5 / / rw,relatime - overlay overlay ro,lowerdir=/l", True, False),
    ],
)
def test_who_made_it_read_only_is_told_apart(line: str, read_only: bool, forced: bool) -> None:
    assert (mount(line).read_only, mount(line).forced_read_only) == (read_only, forced)


def test_where_the_hosts_mounts_are_hidden_the_services_own_protection_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mountinfo"
    mine.write_text("1 0 8:1 / / ro - ext4 /dev/sda1 rw\n2 0 8:2 / /d ro - ext4 /dev/sda2 ro\n")
    monkeypatch.setattr(mounts, "HOSTS_OWN", tmp_path / "none")
    monkeypatch.setattr(mounts, "MINE", mine)
    assert [each.read_only for each in mounts.read_mounts()] == [False, True]


CHILD = """
import json, sys
from pathlib import Path
import msgspec
from guardian_agent.host import mounts
mounts.HOSTS_OWN = Path("/proc/self/mountinfo")
print(json.dumps([msgspec.to_builtins(each) for each in mounts.file_systems() if each.mount in sys.argv[1:]]))
"""


def in_namespace(script: str, *places: Path) -> dict[str, dict]:
    """What is told of these places after a shell script has run, in a mount namespace that ends with it."""
    if os.geteuid() != 0:
        pytest.skip("mounts, so needs root")
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", f'{script}\nexec "$@"', "sh"]
    told = subprocess.run(
        [*argv, sys.executable, "-c", CHILD, *map(str, places)], stdout=subprocess.PIPE, check=True, text=True
    ).stdout
    return {each["mount"]: each for each in json.loads(told)}


def test_a_full_file_system_is_told_with_its_numbers(tmp_path: Path) -> None:
    script = f"""
    mount -t tmpfs -o size=4m,nr_inodes=64 tmpfs {tmp_path}
    dd if=/dev/zero of={tmp_path}/dump bs=4096 count=1024 status=none || true
    (cd {tmp_path} && touch $(seq 70)) 2>/dev/null || true
    """
    told = in_namespace(script, tmp_path)[str(tmp_path)]
    assert told["size_bytes"] == 4 << 20 and told["available_bytes"] == 0
    assert (told["inodes"], told["inodes_available"], told["read_only"]) == (64, 0, False)


def test_a_disk_that_was_mounted_again_read_only_is_told_so(tmp_path: Path) -> None:
    script = f"mount -t tmpfs -o size=4m tmpfs {tmp_path}\nmount -o remount,ro {tmp_path}"
    told = in_namespace(script, tmp_path)[str(tmp_path)]
    assert told["read_only"] and not told["forced_read_only"]


def test_a_bind_mount_and_what_hides_another_are_not_told_twice(tmp_path: Path) -> None:
    disk, door = tmp_path / "disk", tmp_path / "door"
    disk.mkdir()
    door.mkdir()
    script = f"mount -t tmpfs -o size=4m tmpfs {disk}\nmkdir {disk}/sub\nmount --bind {disk}/sub {door}"
    assert list(in_namespace(script, disk, door)) == [str(disk)]
    script = f"mkdir {disk}/below\nmount -t tmpfs -o size=4m a {disk}/below\nmount -t tmpfs -o size=8m b {disk}"
    assert list(in_namespace(script, disk, disk / "below")) == [str(disk)]
