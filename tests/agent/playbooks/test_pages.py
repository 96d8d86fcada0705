"""Every playbook has a page, and the page says what is so."""

import argparse
import re
from pathlib import Path

import msgspec
import pytest
from tests.agent.playbooks.pages import INDEX, PAGES, blocks, index, text

from guardian_agent import cli
from guardian_agent.playbooks import PLAYBOOKS, Playbook

SECTIONS = (
    "What it does",
    "What it changes",
    "Risks",
    "How it rolls back",
    "Configuration",
    "An example",
)
TO_COME = set[str]()  # pages that are being written

WITH_PAGES = [playbook for playbook in PLAYBOOKS if (PAGES / f"{playbook.playbook_id()}.md").exists()]
every = pytest.mark.parametrize("playbook", WITH_PAGES, ids=lambda playbook: playbook.playbook_id())


def test_every_playbook_has_a_page() -> None:
    assert {playbook.playbook_id() for playbook in PLAYBOOKS} - {p.playbook_id() for p in WITH_PAGES} <= TO_COME


def test_every_page_is_about_a_playbook() -> None:
    known = {playbook.playbook_id() for playbook in PLAYBOOKS}
    assert {page.stem for page in PAGES.glob("*.md")} - {"README"} <= known


@every
def test_a_page_has_its_sections_in_order(playbook: type[Playbook]) -> None:
    page = text(playbook.playbook_id())
    assert page.startswith(f"# {playbook.playbook_id()}\n")
    assert tuple(re.findall(r"^## (.+)$", page, flags=re.MULTILINE)) == SECTIONS


@every
def test_a_page_says_the_tier_and_what_is_healed_as_the_playbook_does(playbook: type[Playbook]) -> None:
    found = re.search(r"^Tier (\d)\b.*Heals: (.+)$", text(playbook.playbook_id()), flags=re.MULTILINE)
    assert found is not None
    assert int(found[1]) == playbook.tier
    assert sorted(re.findall(r"`([a-z_]+)`", found[2])) == sorted(playbook.heals)


@every
def test_what_a_page_configures_is_a_whole_configuration_that_loads(playbook: type[Playbook], tmp_path: Path) -> None:
    configurations = blocks(playbook.playbook_id(), "toml")
    assert configurations
    for number, block in enumerate(configurations):
        file = tmp_path / str(number) / "agent.toml"
        file.parent.mkdir()
        file.write_text(block)
        assert playbook.playbook_id() in cli._load(argparse.Namespace(config=file)).playbooks


@every
def test_a_page_names_every_key_of_its_own_and_its_default(playbook: type[Playbook]) -> None:
    page = text(playbook.playbook_id())
    fields = msgspec.structs.fields(playbook)
    assert [field.encode_name for field in fields if not re.search(rf"\b{field.encode_name}\b", page)] == []


@every
def test_a_page_shows_one_dry_run(playbook: type[Playbook]) -> None:
    (steps,) = blocks(playbook.playbook_id(), "steps")
    assert bool(steps) == bool(playbook.heals)


def test_the_index_lists_them_all() -> None:
    assert INDEX.read_text() == index(), "python -m tests.agent.playbooks.pages"
