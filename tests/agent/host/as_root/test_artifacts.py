import hashlib
import json
import os
import stat
from pathlib import Path

import msgspec
import pytest

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host import dpkg
from guardian_agent.host.as_root import artifacts, paths
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
        told: dict[str, object] = json.loads((self.folder / "tool-1/kept.json").read_text())
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
    assert stat.S_IMODE((bench.folder / "tool-1/content").stat().st_mode) == 0
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


def forged(path: Path, content: bytes, kind: str) -> bytes:
    marks = paths.Marks(uid=0, gid=0, mode=0o4755)
    sha256 = hashlib.sha256(content).hexdigest()
    kept = {
        "path": str(path),
        "kind": kind,
        "kept_at_wall_s": 0.0,
        "target": b"/tmp/x",
        "marks": marks,
        "sha256": sha256,
    }
    return msgspec.json.encode(kept)


@pytest.mark.parametrize("kind", ["file", "link", "missing"])
@pytest.mark.parametrize("name", ["x.json", "x", "kept.json", "content"])
async def test_no_content_is_taken_for_what_root_wrote_down(bench: Bench, tmp_path: Path, name: str, kind: str) -> None:
    other, evil = tmp_path / "usr/other", b"#!/bin/evil\n"
    other.write_bytes(b"good")
    for kept, content in (("x", evil), (name, forged(other, evil, kind))):
        bench.path.write_bytes(content)
        do = QuarantineArtifact(str(bench.path), str(bench.copy), kept, SHA256)
        await artifacts.quarantine(do, str(bench.folder))
    for kept in ("x", name):
        with pytest.raises(RefusedOperationError, match="what is kept there was at"):
            await artifacts.put_back(PutBackArtifact(str(other), kept), str(bench.folder))
    for kept in ("x/content", "x/kept.json", "x~1", f"{name}~1"):
        with pytest.raises(RefusedOperationError, match="no name"):
            await artifacts.put_back(PutBackArtifact(str(other), kept), str(bench.folder))
    assert (other.read_bytes(), other.is_symlink()) == (b"good", False)


async def test_what_is_kept_is_never_written_over(bench: Bench) -> None:
    contents = [b"bad", b"worse", b"worst"]
    for content in contents:
        bench.path.write_bytes(content)
        await bench.quarantine()
    kept = {path.name: (path / "content").read_bytes() for path in bench.folder.iterdir()}
    assert kept == {"tool-1~1": b"bad", "tool-1~2": b"worse", "tool-1": b"worst"}
    await bench.put_back()
    assert bench.path.read_bytes() == b"worst"


async def test_the_same_content_of_another_owner_does_not_come_back_with_the_first_ones(bench: Bench) -> None:
    await bench.quarantine()
    bench.path.write_bytes(b"bad")
    os.chown(bench.path, 12345, 12345)
    await bench.quarantine()
    await bench.put_back()
    assert bench.path.stat().st_uid == 12345


async def test_another_path_does_not_take_a_name_away(bench: Bench, tmp_path: Path) -> None:
    await bench.quarantine()
    other = tmp_path / "usr/other"
    other.write_bytes(b"bad too")
    do = QuarantineArtifact(str(other), str(bench.copy), "tool-1", SHA256)
    with pytest.raises(RefusedOperationError, match="what is kept there was at"):
        await artifacts.quarantine(do, str(bench.folder))
    assert other.read_bytes() == b"bad too"
    await bench.put_back()
    assert bench.path.read_bytes() == b"bad"


@pytest.mark.parametrize(
    "description", [b"", b"{", b"\xff", b"[" * 10_000, b'{"path": 1}', b'{"path":"/x","kind":"pipe"}']
)
async def test_a_description_that_makes_no_sense_is_refused_and_makes_room(bench: Bench, description: bytes) -> None:
    await bench.quarantine()
    (bench.folder / "tool-1/kept.json").write_bytes(description)
    with pytest.raises(RefusedOperationError, match="makes no sense"):
        await bench.put_back()
    bench.path.write_bytes(b"worse")
    await bench.quarantine()
    assert (bench.folder / "tool-1~1/kept.json").read_bytes() == description
    await bench.put_back()
    assert bench.path.read_bytes() == b"worse"


async def test_a_try_that_was_cut_short_kept_nothing_and_is_made_again(bench: Bench) -> None:
    (bench.folder / "tool-1").mkdir(parents=True, mode=0o700)
    bench.folder.chmod(0o700)
    (bench.folder / "tool-1/content").write_bytes(b"half of")
    await bench.put_back()
    assert bench.path.read_bytes() == b"bad"
    await bench.quarantine()
    await bench.put_back()
    assert bench.path.read_bytes() == b"bad"


async def test_what_is_kept_in_a_folder_of_somebody_elses_is_not_believed(bench: Bench) -> None:
    await bench.quarantine()
    os.chown(bench.folder / "tool-1", 12345, 12345)
    with pytest.raises(OperationError):
        await bench.put_back()
    assert bench.path.read_bytes() == GOOD


async def test_names_that_are_no_utf8_come_back_too(bench: Bench) -> None:
    bench.path.unlink()
    bench.path.symlink_to(os.fsdecode(b"/\xff"))
    await bench.quarantine()
    await bench.put_back()
    assert os.fsencode(bench.path.readlink()) == b"/\xff"
    bench.path.unlink()
    bench.path.write_bytes(b"bad")
    os.setxattr(bench.path, b"user.\xff", b"\xfe")
    await bench.quarantine()
    await bench.put_back()
    assert os.getxattr(bench.path, b"user.\xff") == b"\xfe"


async def test_once_its_time_is_over_nothing_is_set_aside_or_put_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as hurried:
        hurried.setattr(artifacts, "LIMIT_S", -1.0)
        with pytest.raises(OperationError, match="not done within"):
            await bench.quarantine()
    assert bench.path.read_bytes() == b"bad" and not bench.folder.exists()
    await bench.quarantine()
    monkeypatch.setattr(artifacts, "LIMIT_S", -1.0)
    with pytest.raises(OperationError, match="not done within"):
        await bench.put_back()
    assert bench.path.read_bytes() == GOOD
