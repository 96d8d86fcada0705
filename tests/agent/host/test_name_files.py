from pathlib import Path

import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host.files import LocalFiles
from guardian_agent.host.name_files import KeptFile, kept_file


async def test_a_file_is_kept_to_the_byte_and_a_link_by_what_it_says(tmp_path: Path) -> None:
    files = LocalFiles()
    (tmp_path / "hosts").write_bytes(b"\xff\0\n")
    (tmp_path / "hosts").chmod(0o640)
    (tmp_path / "resolv.conf").symlink_to("../elsewhere")
    found = (tmp_path / "hosts").stat()
    whole = KeptFile(content=b"\xff\0\n", mode=0o640, uid=found.st_uid, gid=found.st_gid)
    assert await kept_file(files, str(tmp_path / "hosts")) == whole
    assert await kept_file(files, str(tmp_path / "resolv.conf")) == KeptFile(target="../elsewhere")
    assert await kept_file(files, str(tmp_path / "nothing")) is None
    files.close()


async def test_what_is_too_big_or_no_file_cannot_be_kept(tmp_path: Path) -> None:
    files = LocalFiles()
    (tmp_path / "most").write_bytes(b"x" * 65536)
    (tmp_path / "big").write_bytes(b"x" * 65537)
    assert (kept := await kept_file(files, str(tmp_path / "most"))) is not None and len(kept.content) == 65536
    for path in (tmp_path / "big", tmp_path):
        with pytest.raises(ProbeError):
            await kept_file(files, str(path))
    files.close()
