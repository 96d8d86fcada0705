"""The pages docs/playbooks/ID.md: what their examples say, for the tests that hold them to it."""

import re
from pathlib import Path

PAGES = Path(__file__).parents[3] / "docs/playbooks"


def example_steps(playbook_id: str) -> list[str]:
    """The lines of the page's block ```steps: what a dry run shows in the case that the page describes."""
    return blocks(playbook_id, "steps")[0].splitlines()


def blocks(playbook_id: str, language: str) -> list[str]:
    """The page's fenced blocks of one language, without their fences."""
    page = (PAGES / f"{playbook_id}.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
