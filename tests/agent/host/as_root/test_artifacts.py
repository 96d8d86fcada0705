import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host import dpkg
from guardian_agent.host.as_root import artifacts
from guardian_agent.host.operations import PutBackArtifact, QuarantineArtifact
from guardian_agent.host.questions import JudgeCopy

GOOD = b"#!/bin/true\n"
SHA256 = hashlib.sha256(GOOD).hexdigest()


class Bench:
    """A corrupt file, its good copy and a quarantine."""

    def __init__(self, folder: Path) -> None:
        self.path, self.copy, self.folder = folder / "usr/tool", folder / "good/tool", folder / "lib/quarantine"
        self.path.parent.mkdir()
        self.copy.parent.mkdir()
        self.path.write_bytes(b"bad")
        self.copy.write_bytes(GOOD)
        self.do = QuarantineArtifact(str(self.path), str(self.copy), "tool-1", SHA256)
        self.undo = PutBackArtifact(str(self.path), "tool-1")

    async def quarantine(self) -> None:
        await artifacts.quarantine(self.do, str(self.folder))

    async def put_back(self) -> None:
        await artifacts.put_back(self.undo, str(self.folder))

    def told(self) -> dict[str, object]:
        told: dict[str, object] = json.loads((self.folder / "tool-1.json").read_text())
        return told


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def picture(path: Path) -> object:
    found = path.lstat()
    content = str(path.readlink()) if path.is_symlink() else path.read_bytes()
    return content, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, found.st_mtime_ns


async def test_the_corrupt_file_is_kept_shut_with_its_metadata_and_the_good_one_has_its_owner_and_mode(
    bench: Bench,
) -> None:
    os.chown(bench.path, 12345, 12346)
    bench.path.chmod(0o750)
    await bench.quarantine()
    assert picture(bench.path)[:4] == (GOOD, 0o750, 12345, 12346)  # type: ignore[index]
    assert stat.S_IMODE((bench.folder / "tool-1").stat().st_mode) == 0
    assert stat.S_IMODE(bench.folder.stat().st_mode) == 0o700
    told = bench.told()
    assert told["path"] == str(bench.path) and told["sha256"] == hashlib.sha256(b"bad").hexdigest()
    assert told["marks"]["mode"] == 0o750  # type: ignore[index]


@pytest.mark.parametrize("kind", ["file", "link", "missing"])
async def test_undoing_brings_back_to_the_byte_what_was_there(bench: Bench, kind: str) -> None:
    os.chown(bench.path, 12345, 12346)
    bench.path.chmod(0o4711)
    os.setxattr(bench.path, "user.note", b"x")
    if kind != "file":
        bench.path.unlink()
    if kind == "link":
        bench.path.symlink_to("../good/tool")
    before = picture(bench.path) if kind != "missing" else None
    for _ in range(2):  # each is safe to repeat
        await bench.quarantine()
        assert bench.path.read_bytes() == GOOD and not bench.path.is_symlink()
    for _ in range(2):
        await bench.put_back()
    assert (picture(bench.path) if bench.path.exists() else None) == before
    assert kind != "file" or os.getxattr(bench.path, "user.note") == b"x"
    assert list(bench.folder.iterdir()) == []


async def test_set_user_id_and_writing_for_all_are_not_handed_on(bench: Bench) -> None:
    bench.path.chmod(0o6777)
    await bench.quarantine()
    assert stat.S_IMODE(bench.path.stat().st_mode) == 0o775


async def test_set_user_id_stays_where_the_copy_has_it_too(bench: Bench) -> None:
    bench.path.chmod(0o4755)
    bench.copy.chmod(0o4755)
    await bench.quarantine()
    assert stat.S_IMODE(bench.path.stat().st_mode) == 0o4755


async def test_another_name_of_the_corrupt_file_keeps_its_content_and_mode(bench: Bench) -> None:
    other = bench.path.with_name("other")
    os.link(bench.path, other)
    await bench.quarantine()
    assert (other.read_bytes(), stat.S_IMODE(other.stat().st_mode)) == (b"bad", 0o644)


async def test_a_copy_with_another_hash_is_refused_and_nothing_is_done(bench: Bench) -> None:
    bench.copy.write_bytes(b"bad too")
    with pytest.raises(RefusedOperationError, match="its sha256 is another"):
        await bench.quarantine()
    assert bench.path.read_bytes() == b"bad" and not bench.folder.exists()


async def test_a_copy_that_others_can_write_or_reach_by_a_link_is_refused(bench: Bench) -> None:
    bench.copy.chmod(0o666)
    with pytest.raises(RefusedOperationError, match="others can write"):
        await bench.quarantine()
    bench.copy.unlink()
    bench.copy.symlink_to(bench.path)
    with pytest.raises(RefusedOperationError, match=r"others can write|symbolic link"):
        await bench.quarantine()
    assert bench.path.read_bytes() == b"bad" and not bench.folder.exists()


@pytest.mark.parametrize("kept", ["", ".", "..", "../x", "a/b", "a\0b", ".hidden", "x" * 201])
async def test_what_is_no_name_in_the_quarantine_is_refused(bench: Bench, kept: str) -> None:
    with pytest.raises(RefusedOperationError, match="no name"):
        await artifacts.put_back(PutBackArtifact(str(bench.path), kept), str(bench.folder))


async def test_what_was_kept_of_one_path_is_not_put_at_another(bench: Bench) -> None:
    await bench.quarantine()
    with pytest.raises(RefusedOperationError, match="what is kept there was at"):
        await artifacts.put_back(PutBackArtifact(f"{bench.path}2", "tool-1"), str(bench.folder))


async def test_a_folder_in_the_files_place_and_a_file_too_big_are_not_touched(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "MOST_BYTES", 2)
    with pytest.raises(OperationError, match="too large"):
        await bench.quarantine()
    monkeypatch.setattr(artifacts, "MOST_BYTES", 1000)
    bench.path.unlink()
    bench.path.mkdir()
    with pytest.raises(RefusedOperationError, match="neither a file nor a link"):
        await bench.quarantine()


async def test_without_a_declared_hash_the_packages_md5_counts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    sums: dict[str, str] = {}
    monkeypatch.setattr(dpkg.Packages, "md5", lambda _, path: sums.get(path))
    question = JudgeCopy(str(bench.path), str(bench.copy))
    assert (await artifacts.judge(question)).complaint == f"{bench.copy}: no package has {bench.path}"
    sums[str(bench.path)] = hashlib.md5(b"another").hexdigest()
    assert "its md5 is another" in (await artifacts.judge(question)).complaint
    sums[str(bench.path)] = hashlib.md5(GOOD).hexdigest()
    assert (await artifacts.judge(question)).complaint == ""
    await artifacts.quarantine(QuarantineArtifact(str(bench.path), str(bench.copy), "tool-1"), str(bench.folder))
    assert bench.path.read_bytes() == GOOD
