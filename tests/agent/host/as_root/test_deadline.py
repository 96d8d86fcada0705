import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host.as_root import deadline, paths, releases, resolver
from guardian_agent.host.as_root.deadline import Deadline, carry_out
from guardian_agent.host.operations import RemoveText, SwitchRelease, WriteLink, WriteText


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


class Hung:
    """A change that hangs until it is let go, and then asks whether it may take effect."""

    def __init__(self) -> None:
        self.began, self.let_go = threading.Event(), threading.Event()
        self.effects = 0

    def __call__(self, until: Deadline) -> None:
        self.began.set()
        assert self.let_go.wait(30)
        until.check()
        self.effects += 1


async def test_it_is_answered_when_the_thread_has_ended_and_what_came_too_late_was_not_done() -> None:
    hung = Hung()
    task = asyncio.create_task(carry_out("it", hung, -1.0))
    await asyncio.to_thread(hung.began.wait)
    assert not task.done()
    hung.let_go.set()
    with pytest.raises(OperationError, match="it: not done within"):
        await task
    assert hung.effects == 0


async def test_whoever_gives_it_up_is_answered_after_it_has_ended_and_nothing_is_done() -> None:
    hung = Hung()

    def until_given_up(until: Deadline) -> None:
        hung.began.set()
        assert until._over.wait(30)
        hung.let_go.set()
        hung(until)

    task = asyncio.create_task(carry_out("it", until_given_up, 100.0))
    await asyncio.to_thread(hung.began.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert hung.let_go.is_set() and hung.effects == 0


async def test_a_thread_that_hangs_is_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "ENDS_WITHIN_S", 0.0)
    hung = Hung()
    task = asyncio.create_task(carry_out("it", hung, 100.0))
    await asyncio.to_thread(hung.began.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    hung.let_go.set()


async def test_what_went_wrong_is_told_by_what_it_means() -> None:
    def raising(error: Exception) -> None:
        raise error

    with pytest.raises(RefusedOperationError, match="it: no such thing"):
        await carry_out("it", lambda _: raising(ValueError("no such thing")), 100.0)
    with pytest.raises(OperationError, match="it: No space") as found:
        await carry_out("it", lambda _: raising(OSError(28, "No space left on device")), 100.0)
    assert not isinstance(found.value, RefusedOperationError)


async def test_a_disk_that_hangs_switches_no_release_after_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "releases/1").mkdir(parents=True)
    current = tmp_path / "current"
    monkeypatch.setattr(releases, "LIMIT_S", -1.0)
    with pytest.raises(OperationError, match="not done within"):
        await releases.switch(SwitchRelease(str(tmp_path / "releases"), str(current), "releases/1"))
    assert not current.is_symlink()
    current.symlink_to("releases/1")
    with pytest.raises(OperationError, match="not done within"):
        await releases.switch(SwitchRelease(str(tmp_path / "releases"), str(current), ""))
    assert current.is_symlink() and names_in(tmp_path) == ["current", "releases"]


async def test_a_disk_that_hangs_changes_no_name_file_after_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "hosts"
    file.write_text("before")
    monkeypatch.setattr(resolver, "LIMIT_S", -1.0)
    for operation in (WriteText(str(file), b"after"), WriteLink(str(file), "elsewhere"), RemoveText(str(file))):
        with pytest.raises(OperationError, match="not done within"):
            await resolver.change(operation)
    assert file.read_text() == "before" and names_in(tmp_path) == ["hosts"]


def test_a_part_after_its_time_leaves_nothing_behind(tmp_path: Path) -> None:
    until = Deadline(100.0)

    def parts() -> Iterator[bytes]:
        yield b"one"
        until.expire()
        yield b"two"

    with paths.place(str(tmp_path / "a")) as where, pytest.raises(deadline.TooLateError):
        paths.create(where, parts(), paths.Marks(), until)
    assert list(tmp_path.iterdir()) == []
