"""The table of what Guardian does about each fault: `python -m tests.bed.coverage measure [ID…]`, then `write`.

What was measured is kept in coverage.toml; docs/coverage.md is made of it and of the catalogue. A test holds the two
together, and `make test-bed` measures all of it again.
"""

import argparse
import asyncio
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.bed.commands import CommandError
from tests.bed.faults.catalogue import FAULTS
from tests.bed.faults.fault import Fault, Mend, Scene
from tests.bed.fleet import CHECKOUT, Fleet, show
from tests.bed.guardian import Guardian
from tests.bed.requirements import obstacle
from tests.bed.verdicts import Kind, Verdict, verdict_on

RECORD = Path(__file__).with_name("coverage.toml")
TABLE = CHECKOUT / "docs/coverage.md"
LAYERS = ("physical", "data_link", "network", "transport", "session", "presentation", "application", "host")

HEAD = """# What Guardian does about each fault

Made by `python -m tests.bed.coverage`; not to be edited. Every fault is injected on a real Debian host under an agent
that knows nothing of it, and watched by a client on another host. What is in the last column was measured, and
`make test-bed` measures it again.

- **healed**: an execution ended `healed`, by the playbook named, and the client was served again for three seconds.
- **escalated**: an incident was opened, and a human called.
- **detected**: an incident was opened; within 25 s nothing more came of it.
- **not seen**: no incident, and why a host cannot see it.

Where an incident was called something else than the catalogue calls the fault, that stands behind "for".

"host" under "mend": the host itself could mend it. "elsewhere": it cannot (a switch, a router, another host, a
failing disk), and to escalate is all that is right.
"""


def recorded() -> dict[str, Verdict]:
    """What was measured last, by fault."""
    tables = tomllib.loads(RECORD.read_text()) if RECORD.exists() else {}
    return {fault: Verdict(Kind(told.pop("kind")), **told) for fault, told in tables.items()}


def record(verdicts: Mapping[str, Verdict]) -> None:
    """Writes what was measured, in the catalogue's order; faults that are no longer in it are left out."""
    parts = []
    for fault in FAULTS:
        if (verdict := verdicts.get(fault.id)) is not None:
            keys = {"kind": verdict.kind.value, "issue_type": verdict.issue_type, "playbook": verdict.playbook}
            parts.append(f"[{fault.id}]\n" + "".join(f'{key} = "{value}"\n' for key, value in keys.items() if value))
    RECORD.write_text("\n".join(parts))


def table(faults: Iterable[Fault], verdicts: Mapping[str, Verdict]) -> str:
    """The page: faults by layer, each with what it breaks, who could mend it, and what came of it."""
    faults = tuple(faults)
    counts = Counter(verdicts[fault.id].kind for fault in faults)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in reversed(Kind))
    named = sum(verdicts[fault.id].issue_type == fault.issue_type for fault in faults)
    lines = [HEAD, f"{len(faults)} faults: {told}; {named} are called what they are.\n"]
    for layer in LAYERS:
        of_layer = [fault for fault in faults if fault.layer.name.lower() == layer]
        if of_layer:
            lines += [f"## {layer.replace('_', ' ').capitalize()}\n", "| fault | breaks | mend | Guardian |"]
            lines += ["| --- | --- | --- | --- |", *(_row(fault, verdicts[fault.id]) for fault in of_layer), ""]
    return "\n".join(lines)


def _row(fault: Fault, verdict: Verdict) -> str:
    told = f"**{verdict.kind}**"
    if verdict.playbook:
        told += f" by `{verdict.playbook}`"
    if verdict.issue_type:
        told += f", as `{verdict.issue_type}`"
        told += f" for `{fault.issue_type}`" if verdict.issue_type != fault.issue_type else ""
    elif fault.unseen:
        told += f": {fault.unseen}"
    mend = "host" if fault.mend is Mend.HOST else "elsewhere"
    return f"| `{fault.id}` | {fault.breaks} | {mend} | {told} |"


async def measure(wanted: Iterable[Fault]) -> list[str]:
    """Measures on a fleet of its own, and records each verdict as it comes; answers which faults had none."""
    failed = []
    async with Fleet.booted("h1", "h2") as fleet:
        scene = await Scene.on(fleet)
        guardian = await Guardian.on(fleet)
        await guardian.start_aggregator()
        for fault in wanted:
            try:
                verdict = await verdict_on(fault, scene, guardian)
            except (TimeoutError, CommandError) as error:
                show(f"{fault.id}: could not be measured: {error}")
                failed.append(fault.id)
                continue
            right = "" if verdict.issue_type == fault.issue_type else f"(expected {fault.issue_type})"
            show(f"{fault.id}: {verdict.kind} {verdict.issue_type} {verdict.playbook} {right} [{verdict.seen}]")
            record(recorded() | {fault.id: verdict})
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bed.coverage", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    measuring = commands.add_parser(
        "measure", help="inject faults (all, or those named), and record what comes of them"
    )
    measuring.add_argument("ids", nargs="*", metavar="ID")
    commands.add_parser("write", help="write docs/coverage.md")
    args = parser.parse_args()
    if args.command == "write":
        if unmeasured := [fault.id for fault in FAULTS if fault.id not in recorded()]:
            show(f"not measured yet: {', '.join(unmeasured)}")
            return 1
        TABLE.write_text(table(FAULTS, recorded()))
        return 0
    if unknown := set(args.ids) - {fault.id for fault in FAULTS}:
        show(f"no such fault: {', '.join(sorted(unknown))}")
        return 2
    if (line := asyncio.run(obstacle())) is not None:
        show(line)
        return 1
    return 1 if asyncio.run(measure([fault for fault in FAULTS if not args.ids or fault.id in args.ids])) else 0


if __name__ == "__main__":
    sys.exit(main())
