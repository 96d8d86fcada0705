import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host import dpkg
from guardian_agent.host.dpkg import Packages

HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""
STATUS = """Package: web
Status: install ok installed
Conffiles:
 /etc/web.conf 11111111111111111111111111111111
 /etc/new.conf newconffile
 /etc/old.conf 22222222222222222222222222222222 obsolete
Description: serves
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """dpkg's own files, of a host with two packages."""
    for name in ("info", "updates"):
        (tmp_path / name).mkdir()
    (tmp_path / "lock").write_text("")
    (tmp_path / "status").write_text(STATUS)
    (tmp_path / "info" / "web.md5sums").write_text(f"{'a' * 32}  usr/sbin/web\n{'b' * 32}  usr/share/web/a b\n")
    (tmp_path / "info" / "tools:amd64.md5sums").write_text(f"{'c' * 32}  bin/tool\n{'d' * 32}  srv/usr/sbin/web\n")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "md5"),
    [
        ("/usr/sbin/web", "a" * 32),
        ("/usr/share/web/a b", "b" * 32),
        ("/usr/bin/tool", "c" * 32),
        ("/bin/tool", "c" * 32),
        ("/etc/web.conf", "1" * 32),
        ("/etc/old.conf", "2" * 32),
        ("/etc/new.conf", None),
        ("/sbin/web", None),
        ("/usr/sbin/we", None),
    ],
)
def test_each_file_has_the_sum_that_its_package_brought(folder: Path, path: str, md5: str | None) -> None:
    assert Packages(folder).md5(path) == md5


def test_after_an_upgrade_the_new_sum_counts(folder: Path) -> None:
    packages = Packages(folder)
    assert packages.md5("/usr/sbin/web") == "a" * 32
    (folder / "info" / "web.md5sums").write_text(f"{'e' * 32}  usr/sbin/web\n")
    assert packages.md5("/usr/sbin/web") == "a" * 32, "not read again before dpkg has said that it is done"
    os.utime(folder / "status", ns=(1, 1))
    assert packages.md5("/usr/sbin/web") == "e" * 32


def test_while_dpkg_is_at_work_nothing_is_told(folder: Path) -> None:
    (folder / "updates" / "0001").write_text("")
    with pytest.raises(ProbeError, match="dpkg is at work"):
        Packages(folder).md5("/usr/sbin/web")


def test_while_somebody_holds_the_lock_nothing_is_told(folder: Path) -> None:
    lock = (
        "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.lockf(file, fcntl.LOCK_EX); print(flush=True); input()"
    )
    with subprocess.Popen(
        ["python3", "-c", lock, str(folder / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        holder.stdout.readline()
        with pytest.raises(ProbeError, match="dpkg is at work"):
            Packages(folder).md5("/usr/sbin/web")
        holder.stdin.close()
    assert Packages(folder).md5("/usr/sbin/web") == "a" * 32


def test_a_host_without_dpkg_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Packages(tmp_path).md5("/usr/sbin/web")


@pytest.mark.skipif(not dpkg.FOLDER.exists(), reason="no Debian")
def test_on_this_host_a_file_of_a_package_has_the_sum_that_dpkg_says() -> None:
    found = Packages().md5("/usr/bin/ls")
    assert found == hashlib.md5(Path("/usr/bin/ls").read_bytes()).hexdigest()
