"""The audit log in a real folder, and on a file system that is really full."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from guardian_agent.executor.audit import LINE_LIMIT, Audit, AuditError, Entry

ENTRY = Entry(id="1", uid=7, pid=8, outcome="begun", what="sysctl -w a=1", request={"type": "WriteSysctl"})


@pytest.fixture
def file(tmp_path):
    return tmp_path / "log" / "executor.jsonl"


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_line_says_who_asked_what_and_when(file):
    Audit(file).write(ENTRY)
    (line,) = lines(file)
    time = line.pop("time")
    assert isinstance(time, str)
    assert time.endswith("+00:00")
    assert line == {
        "id": "1",
        "uid": 7,
        "pid": 8,
        "outcome": "begun",
        "what": "sysctl -w a=1",
        "request": {"type": "WriteSysctl"},
    }


def test_it_is_for_its_owner_and_his_group_to_read(file):
    umask = os.umask(0)
    try:
        Audit(file).write(ENTRY)
    finally:
        os.umask(umask)
    assert file.stat().st_mode & 0o777 == 0o640
    assert file.parent.stat().st_mode & 0o777 == 0o750


def test_a_line_is_synced_before_it_counts(file, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())), real(fd)))
    audit = Audit(file)
    audit.write(ENTRY)
    assert synced == [str(file), str(file.parent)]
    audit.write(ENTRY)
    assert synced[2:] == [str(file)]


def test_a_link_in_its_place_is_not_followed(file, tmp_path):
    file.parent.mkdir(mode=0o750)
    (tmp_path / "target").touch()
    file.symlink_to(tmp_path / "target")
    with pytest.raises(AuditError, match="cannot be written"):
        Audit(file).write(ENTRY)
    assert (tmp_path / "target").read_text() == ""


def test_a_link_in_place_of_its_folder_is_not_followed(file, tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o750)
    file.parent.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditError):
        Audit(file).write(ENTRY)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("mode", [0o770, 0o757])
def test_a_folder_that_others_may_write_to_is_not_used(file, mode):
    file.parent.mkdir()
    file.parent.chmod(mode)
    with pytest.raises(AuditError, match="others than root may write there"):
        Audit(file).write(ENTRY)


def test_a_fifo_in_its_place_does_not_hang(file):
    file.parent.mkdir(mode=0o750)
    os.mkfifo(file, 0o640)
    with pytest.raises(AuditError, match="is no file"):
        Audit(file).write(ENTRY)


def test_a_full_file_is_put_aside_and_the_oldest_goes(file):
    audit = Audit(file, size=400, kept=3, reserve=4096)
    for number in range(12):
        audit.write(Entry(id=str(number), uid=0, pid=0, outcome="done", what="x" * 100))
    files = sorted(path.name for path in file.parent.iterdir())
    assert files == ["executor.jsonl", "executor.jsonl.1", "executor.jsonl.2"]
    kept = [line["id"] for name in reversed(files) for line in lines(file.parent / name)]
    assert kept == [str(number) for number in range(12 - len(kept), 12)]
    assert all((file.parent / name).stat().st_size <= 400 for name in files)


def test_a_line_torn_by_a_loss_of_power_spoils_only_itself(file):
    audit = Audit(file)
    audit.write(ENTRY)
    with file.open("a") as torn:
        torn.write('{"time":"2026-')
    audit.write(ENTRY)
    first, half, last = file.read_text().splitlines()
    assert json.loads(first)["id"] == json.loads(last)["id"] == "1"
    assert half == '{"time":"2026-'


@pytest.mark.parametrize("character", ["a", "ä", "€", "\U0001f600", "\x01", "\n", '"', "\\", "\udcff"])
@pytest.mark.parametrize("where", [("what",), ("request",), ("error",), ("what", "request", "error")])
def test_no_line_is_longer_than_its_limit_in_bytes_whatever_is_in_it(file, character, where):
    long = character * 10**5
    text = character if character != "\udcff" else "y"  # a request has come as JSON, which has no surrogates
    given = {"what": long, "request": {"text": text * 10**5}, "error": long}
    entry = Entry(id="a" * 12, uid=2**32 - 1, pid=2**22, outcome="refused", what="w")
    for name in where:
        entry = msgspec.structs.replace(entry, **{name: given[name]})
    Audit(file).write(entry)
    assert len(file.read_bytes()) <= LINE_LIMIT
    (line,) = lines(file)
    if "request" in where:
        assert str(line["request"]).startswith('{"text":"')
    if len(where) > 1:
        assert len(file.read_bytes()) > LINE_LIMIT - 20  # as much as there is room for


def test_a_request_that_fits_stays_an_object(file):
    request = {"type": "WriteText", "content": "x" * 1000}
    Audit(file).write(msgspec.structs.replace(ENTRY, request=request))
    assert lines(file)[0]["request"] == request


FULL = """
import errno, os, sys
from pathlib import Path
from guardian_agent.executor.audit import Audit, AuditError, Entry
folder = Path(sys.argv[1])
audit = Audit(folder / "log" / "executor.jsonl", reserve=65536)
entry = Entry(id="1", uid=0, pid=0, outcome="begun", what="x" * 200)
audit.write(entry)
try:
    with (folder / "hog").open("wb", buffering=0) as hog:
        while True:
            hog.write(b"x" * 4096)
except OSError as error:
    assert error.errno == errno.ENOSPC
count = 1
try:
    while count < 10000:
        audit.write(entry)
        count += 1
except AuditError as error:
    print(error)
text = (folder / "log" / "executor.jsonl").read_text()
assert text.endswith(chr(10)) and len(text.splitlines()) == count, "a line is torn"
(folder / "hog").unlink()
audit.write(entry)
print(count)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system of its own")
def test_a_full_disk_leaves_room_for_what_heals_it_and_then_nothing_more_is_done(tmp_path):
    script = f'mount -t tmpfs -o size=1m,mode=755 none {tmp_path} && exec {sys.executable} -c "$1" {tmp_path}'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", FULL], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    said, count = done.stdout.splitlines()
    assert said.endswith("cannot be written: No space left on device")
    assert int(count) > 100
