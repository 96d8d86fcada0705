import os
from pathlib import Path

import pytest

from guardian_agent.errors import RefusedOperationError
from guardian_agent.host.as_root import releases
from guardian_agent.host.operations import SwitchRelease


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "releases/1").mkdir(parents=True)
    (tmp_path / "releases/2").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "releases/out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "current").symlink_to("releases/2")
    return tmp_path


def switch(shop: Path, target: str, changed_ns: int | None = None) -> SwitchRelease:
    return SwitchRelease(f"{shop}/releases", f"{shop}/current", target, changed_ns)


@pytest.mark.parametrize("target", ["releases/1", "./releases//1/", "releases/never-unpacked", "../{name}/releases/1"])
async def test_the_link_says_to_the_letter_what_it_is_told(shop: Path, target: str) -> None:
    target = target.replace("{name}", shop.name)
    for _ in range(2):
        await releases.switch(switch(shop, target))
        assert os.readlink(shop / "current") == target  # noqa: PTH115 - to the letter


async def test_undoing_brings_back_the_words_and_the_time_of_the_link(shop: Path) -> None:
    before = (shop / "current").lstat().st_mtime_ns
    await releases.switch(switch(shop, "releases/1"))
    await releases.switch(switch(shop, "releases/2", before))
    assert (shop / "current").lstat().st_mtime_ns == before and (shop / "current").readlink() == Path("releases/2")


async def test_a_link_that_was_missing_is_missing_again(shop: Path) -> None:
    (shop / "current").unlink()
    await releases.switch(switch(shop, "releases/1"))
    for _ in range(2):
        await releases.switch(switch(shop, ""))
        assert not (shop / "current").is_symlink()


@pytest.mark.parametrize(
    "target",
    ["elsewhere", "releases", "releases/../elsewhere", "releases/out", "releases/out/x", "/etc", "releases/1/../../x"],
)
async def test_nothing_outside_the_folder_becomes_the_release(shop: Path, target: str) -> None:
    with pytest.raises(RefusedOperationError, match=r"does not lead into|reached by a link"):
        await releases.switch(switch(shop, target))
    assert (shop / "current").readlink() == Path("releases/2")


async def test_what_is_no_link_is_not_replaced(shop: Path) -> None:
    (shop / "current").unlink()
    (shop / "current").mkdir()
    with pytest.raises(RefusedOperationError, match="is no link"):
        await releases.switch(switch(shop, "releases/1"))
