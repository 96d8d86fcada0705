import asyncio
import hashlib
import os
import threading
from pathlib import Path

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host.files import LocalFiles


async def test_what_is_there_is_told_and_a_link_is_not_followed(tmp_path: Path) -> None:
    files = LocalFiles()
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("12345")
    file.chmod(0o640)
    os.utime(file, ns=(1, 1_700_000_000_000_000_001))
    link.symlink_to("file")
    state = await files.state(str(file))
    assert state is not None
    assert (state.kind, state.size_bytes, state.mode, state.target) == ("file", 5, 0o640, "")
    assert state.modified_wall_ns == 1_700_000_000_000_000_001 and state.inode == file.stat().st_ino
    state = await files.state(str(link))
    assert state is not None and (state.kind, state.target) == ("link", "file")
    os.mkfifo(tmp_path / "fifo")
    kinds = [await files.state(str(path)) for path in (tmp_path, tmp_path / "fifo")]
    assert [state and state.kind for state in kinds] == ["folder", "other"]


async def test_where_nothing_is_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    files = LocalFiles()
    assert await files.state(str(tmp_path / "none")) is None
    assert await files.state(str(tmp_path / "file" / "below")) is None


async def test_what_is_no_path_cannot_be_told() -> None:
    with pytest.raises(ProbeError, match="no path"):
        await LocalFiles().state("/tmp/\0")


async def test_a_hash_is_that_of_the_content_and_follows_every_change(tmp_path: Path) -> None:
    files, file = LocalFiles(), tmp_path / "file"
    for content in (b"one", b"two", b"x" * 1_000_000):
        file.write_bytes(content)
        assert await files.sha256(str(file)) == hashlib.sha256(content).hexdigest()
        assert await files.md5(str(file)) == hashlib.md5(content).hexdigest()


async def test_a_change_that_keeps_size_and_date_is_seen_all_the_same(tmp_path: Path) -> None:
    files, file = LocalFiles(), tmp_path / "file"
    file.write_bytes(b"good")
    before = file.stat()
    good = await files.sha256(str(file))
    file.write_bytes(b"evil")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert await files.sha256(str(file)) != good


async def test_what_has_not_changed_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, file = LocalFiles(), tmp_path / "file"
    file.write_bytes(b"good")
    good = await files.sha256(str(file))
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("it was read"))
    assert await files.sha256(str(file)) == good


async def test_only_a_regular_file_is_hashed_or_read(tmp_path: Path) -> None:
    files = LocalFiles()
    (tmp_path / "file").write_text("content")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo", "."):
        with pytest.raises(ProbeError, match="no regular file"):
            await files.sha256(str(tmp_path / name))
    with pytest.raises(ProbeError, match="no regular file"):
        await files.text(str(tmp_path / "fifo"))
    with pytest.raises(ProbeError, match="No such file"):
        await files.sha256(str(tmp_path / "none"))


async def test_a_text_is_cut_at_its_limit_and_what_is_no_text_is_marked(tmp_path: Path) -> None:
    files, file = LocalFiles(), tmp_path / "file"
    file.write_bytes(b"ab\xff" + b"c" * 100)
    (tmp_path / "link").symlink_to("file")
    assert await files.text(str(file), 4) == "ab\ufffdc"
    assert (await files.text(str(tmp_path / "link"))).endswith("c")
    assert "processes" in await files.text("/proc/stat")


async def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "file").write_text("")
    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(ProbeError, match="file: Permission denied"):
        await LocalFiles().sha256(str(tmp_path / "file"))


async def test_a_dead_disk_stops_neither_the_loop_nor_a_look_at_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, real = threading.Event(), os.lstat

    def hangs(path: str) -> os.stat_result:
        if path.endswith("dead"):
            gate.wait()
        return real(path)

    monkeypatch.setattr(os, "lstat", hangs)
    files, before = LocalFiles(), sum(thread.name == "aside" for thread in threading.enumerate())
    try:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(files.state(str(tmp_path / "dead")), 0.01)
        assert await files.state(str(tmp_path)) is not None
        now = sum(thread.name == "aside" for thread in threading.enumerate())
        assert now == before + 2, "one that hangs, and one that answers all other questions"
    finally:
        gate.set()


async def test_the_file_systems_of_this_host_have_the_root_among_them() -> None:
    found = {each.mount: each for each in await LocalFiles().file_systems()}
    assert "/proc" not in found and "/sys" not in found and "/dev/shm" not in found
    assert found["/"].size_bytes > found["/"].available_bytes > 0
