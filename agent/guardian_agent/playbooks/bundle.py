"""Findings in sections of lines, no larger than agreed: what is cut is said."""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from guardian_agent.playbooks.redaction import redacted

PART = 10  # lines, between which others may run
LONGEST_SHOWN = 600  # characters of one line
CUT_SHARE = 8  # the longest section loses at least this fraction of its lines at a time


class Section(msgspec.Struct, kw_only=True):
    """Lines about one subject; `newest_last`: they are cut at their beginning, else at their end."""

    name: str
    lines: list[str]
    newest_last: bool = False
    cut: int = 0


async def section(name: str, lines: Iterable[str], *, newest_last: bool = False) -> Section:
    """A section without secrets, its lines cut to what anybody reads. Others run in between."""
    shown = []
    for number, one in enumerate(redacted(lines), 1):
        shown.append(one if len(one) <= LONGEST_SHOWN else f"{one[:LONGEST_SHOWN]}…")
        if number % PART == 0:
            await asyncio.sleep(0)
    return Section(name=name, lines=shown, newest_last=newest_last)


def bounded(head: dict[str, Any], sections: Iterable[Section], max_bytes: int) -> dict[str, Any]:
    """`head` and the sections as one JSON object of at most `max_bytes` bytes, as far as `head` alone is none larger.

    The longest section is cut first, and of it the oldest lines, or the least of a ranking; `cut` says how many.
    """
    sections = list(sections)
    sizes = {one.name: [_size(line) for line in one.lines] for one in sections}
    while _size(whole := _told(head, sections)) > max_bytes:
        longest = max(sections, key=lambda one: sum(sizes[one.name]), default=None)
        if longest is None or not longest.lines:
            return whole
        _cut(longest, sizes[longest.name], _size(whole) - max_bytes)
    return whole


def _cut(longest: Section, sizes: list[int], surplus: int) -> None:
    """Takes lines away until the surplus is gone, or an eighth of them: others may be the longest by then."""
    count, gone = 0, 0
    while count < len(sizes) and (count == 0 or (gone < surplus and count < len(sizes) // CUT_SHARE)):
        gone += sizes[count if longest.newest_last else len(sizes) - 1 - count] + 1
        count += 1
    gone_lines = slice(0, count) if longest.newest_last else slice(len(sizes) - count, len(sizes))
    del longest.lines[gone_lines]
    del sizes[gone_lines]
    longest.cut += count


def _told(head: dict[str, Any], sections: list[Section]) -> dict[str, Any]:
    cut = {one.name: f"{one.cut} lines are left out" for one in sections if one.cut}
    return head | {"sections": {one.name: one.lines for one in sections}} | ({"cut": cut} if cut else {})


def _size(value: Any) -> int:
    return len(msgspec.json.encode(value))
