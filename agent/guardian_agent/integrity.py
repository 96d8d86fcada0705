"""Is what Guardian keeps of its own doings still whole?"""

import itertools
from collections.abc import Awaitable, Callable

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host

EXECUTOR_AUDIT = "/var/log/guardian/executor.jsonl"  # as the executor writes it: a JSON object a line
MOST_BYTES = 12 << 20
OUTBOX, AUDIT = "outbox", "executor's audit"


class _Line(msgspec.Struct):
    id: str
    time: str
    outcome: str


async def integrity(host: Host, broken_chain: Callable[[], Awaitable[str]]) -> dict[str, str]:
    """What is wrong with each, empty for nothing; a file that is not there, or not ours to read, is left out."""
    found = {OUTBOX: await broken_chain()}
    try:
        text = await host.files.text(EXECUTOR_AUDIT, MOST_BYTES)
    except ProbeError:
        return found
    return found | {AUDIT: audit_problem(text)}


def audit_problem(text: str) -> str:
    """What is wrong with the executor's lines: unreadable ones, those out of order, operations that never ended."""
    lines: list[_Line] = []
    unreadable = 0
    for line in text.splitlines():
        try:
            lines.append(msgspec.json.decode(line, type=_Line))
        except msgspec.MsgspecError:
            unreadable += bool(line)
    ended = {line.id for line in lines if line.outcome != "begun"}
    open_ones = [line for line in lines[:-1] if line.outcome == "begun" and line.id not in ended]  # the last may run
    problems = []
    if unreadable:
        problems.append(f"{unreadable} lines cannot be read")
    if any(later.time < earlier.time for earlier, later in itertools.pairwise(lines)):
        problems.append("lines are out of order, or the clock was set back")
    if open_ones:
        problems.append(f"{len(open_ones)} operations were begun and have no end, the first at {open_ones[0].time}")
    return "; ".join(problems)
