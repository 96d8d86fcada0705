import os
from pathlib import Path

import pytest

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host.as_root import resolver
from guardian_agent.host.operations import RemoveText, WriteLink, WriteText


async def test_content_mode_and_owner_are_as_told_and_the_label_stays(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("bad")
    os.setxattr(file, "user.label", b"net_conf_t")
    await resolver.change(WriteText(str(file), b"good\xff\n", 0o640, 12345, 12346))
    found = file.stat()
    assert (file.read_bytes(), found.st_mode & 0o7777, found.st_uid, found.st_gid) == (
        b"good\xff\n",
        0o640,
        12345,
        12346,
    )
    assert os.getxattr(file, "user.label") == b"net_conf_t"


async def test_a_file_becomes_a_link_and_a_file_again_and_what_it_led_to_is_spared(tmp_path: Path) -> None:
    file, target = tmp_path / "resolv.conf", tmp_path / "stub"
    target.write_text("stub")
    file.write_text("bad")
    for _ in range(2):
        await resolver.change(WriteLink(str(file), "stub"))
        assert file.readlink() == Path("stub")
    await resolver.change(WriteText(str(file), b"good"))
    assert not file.is_symlink() and file.read_text() == "good" and target.read_text() == "stub"
    for _ in range(2):
        await resolver.change(RemoveText(str(file)))
    assert not file.exists()


async def test_a_folder_of_the_path_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "etc").symlink_to("real")
    with pytest.raises(OperationError):
        await resolver.change(WriteText(f"{tmp_path}/etc/hosts", b""))
    with pytest.raises(RefusedOperationError):
        await resolver.change(WriteText(f"{tmp_path}/real/../hosts", b""))
    assert list((tmp_path / "real").iterdir()) == []
