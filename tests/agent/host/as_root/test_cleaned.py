import time
from pathlib import Path

from tests.agent.host.as_root.old_files import delete, old

from guardian_agent.host.as_root import cleaned
from guardian_agent.host.questions import ListCleaned, Spared


async def test_root_tells_what_really_went_and_what_was_spared(folder):
    went, stays = old(folder / "a.1"), old(folder / "b.1")
    before = time.time_ns()
    with (folder / "b.1").open():
        await delete(folder, went, stays)
    (told,) = cleaned.since(ListCleaned(before))
    assert (told.folder, told.deleted, told.spared) == (str(folder), ("a.1",), (Spared("b.1", "is open"),))
    assert told.deleted_bytes > 0 and cleaned.since(ListCleaned(before + 60 * 10**9)) == ()
    for name in ("0.json", "1.json"):
        (Path(cleaned.FOLDER) / name).write_bytes(b"\xff")
    assert cleaned.since(ListCleaned(before)) == (told,)


async def test_no_more_is_kept_of_what_went_than_the_last(folder, monkeypatch):
    monkeypatch.setattr(cleaned, "KEPT", 2)
    for name in ("a.1", "b.1", "c.1"):
        await delete(folder, old(folder / name))
    assert [one.deleted for one in cleaned.since(ListCleaned(0))] == [("b.1",), ("c.1",)]
