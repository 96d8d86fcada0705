"""Root's own record of what it changed, whatever became of it."""

from pathlib import Path

import pytest

from guardian_agent.host.as_root.before import Memory, Was

ONE = Was(what="a", before="1", now="2")


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(str(tmp_path / "before"))


def test_what_was_is_known_until_it_is_put_back(memory):
    assert memory.of("a") is None
    memory.note(ONE)
    assert (memory.of("a"), memory.of("b")) == (ONE, None)
    memory.forget("a")
    assert memory.of("a") is None


def test_the_same_change_once_more_keeps_what_was_and_another_does_not(memory):
    memory.note(ONE)
    memory.note(Was(what="a", before="2", now="2"))
    assert memory.of("a") == ONE
    memory.note(Was(what="a", before="2", now="3"))
    assert memory.of("a") == Was(what="a", before="2", now="3")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b'{"what":"b","before":"1","now":"2"}'])
def test_what_cannot_be_read_is_nothing(memory, tmp_path, content):
    memory.note(ONE)
    (file,) = (tmp_path / "before").iterdir()
    file.write_bytes(content)
    assert memory.of("a") is None


def test_nothing_is_kept_where_others_could_write(memory, tmp_path):
    (tmp_path / "before").mkdir(mode=0o777)
    (tmp_path / "before").chmod(0o777)
    with pytest.raises(PermissionError):
        memory.note(ONE)
