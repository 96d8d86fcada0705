"""The pages docs/playbooks/ID.md: what their examples say, for the tests that hold them to it.

`python -m tests.agent.playbooks.pages` writes docs/playbooks/README.md, the table of all of them.
"""

import re
from pathlib import Path

from guardian_agent.playbooks import PLAYBOOKS

PAGES = Path(__file__).parents[3] / "docs/playbooks"
INDEX = PAGES / "README.md"
HEAD = """# Playbooks

What Guardian does about a fault, a page each: what it does, what it changes, what can go wrong, how it is taken back.
`guardian-agent playbooks` shows them as they stand on a host. Made by `python -m tests.agent.playbooks.pages`; not to
be edited.

Tier 0 observes, tier 1 acts by itself, tier 2 needs an approval, tier 3 needs two. Nobody can approve yet: what a
playbook of tier 2 would have root do is refused by the executor, too, until `tier = 1` stands under `[playbooks.ID]`.

| playbook | family | tier | heals |
| --- | --- | --- | --- |
"""


def example_steps(playbook_id: str) -> list[str]:
    """The lines of the page's block ```steps: what a dry run shows in the case that the page describes."""
    return blocks(playbook_id, "steps")[0].splitlines()


def blocks(playbook_id: str, language: str) -> list[str]:
    """The page's fenced blocks of one language, without their fences."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text(playbook_id), flags=re.DOTALL | re.MULTILINE)


def text(playbook_id: str) -> str:
    return (PAGES / f"{playbook_id}.md").read_text()


def index() -> str:
    """The table of all playbooks."""
    rows = [
        f"| [`{one.playbook_id()}`]({one.playbook_id()}.md) | {one.family()} | {int(one.tier)} | "
        f"{', '.join(f'`{issue}`' for issue in one.heals) or f'nothing: beside {one.beside}'} |\n"
        for one in sorted(PLAYBOOKS, key=lambda one: (one.family(), one.playbook_id()))
    ]
    return HEAD + "".join(rows)


if __name__ == "__main__":
    INDEX.write_text(index())
