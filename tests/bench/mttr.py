"""How soon is each fault over that a host can mend, and where does the time go?

    python -m tests.bench.mttr [--rounds 10] [--json FILE] [FAULT …]

One run on the bed (root): every fault is injected again and again on a host with all workloads, under an agent whose
operator lets every playbook act, and a client on the hub is watched until it is served. Prints a table by fault, in
seconds: detect (from the first bad look until it was told), decide (until the first step), repair (until the last),
verify (until the first good look of the streak that closed it), and in all. Not a test: it asserts nothing.
"""

import argparse
import asyncio
import contextlib
import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from tests.bed.commands import CommandError
from tests.bed.faults.catalogue import FAULTS
from tests.bed.faults.fault import Fault, Mend, Scene
from tests.bed.fleet import Fleet, show
from tests.bed.guardian import Guardian
from tests.bed.requirements import obstacle
from tests.bed.verdicts import start_unprepared
from tests.bed.waiting import until
from tests.bench.numbers import table

GIVE_UP_S = 60.0
GOAL_P50_S, GOAL_MAX_S = 5.0, 30.0
PHASES = ("detect", "decide", "repair", "verify", "total")
NEVER = math.inf


@dataclass(frozen=True)
class Round:
    """One fault from its first bad look to the verified recovery, in seconds; infinite where it was not mended."""

    detect: float = NEVER
    decide: float = NEVER
    repair: float = NEVER
    verify: float = NEVER
    total: float = NEVER
    playbook: str = ""


def phases(incidents: Iterable[dict[str, Any]]) -> Round:
    """The round as the API tells it: from the first bad look of all its incidents to the end of the one that a playbook
    mended last. Infinite when none was."""
    counted = [each for each in incidents if each["first_bad_at"]]
    healed = [each for each in counted if each["resolution"] == "auto" and each["action_started_at"]]
    if not healed:
        return Round()
    began = min(_moment(each["first_bad_at"]) for each in counted)
    last = max(healed, key=lambda each: _moment(each["verified_at"]))
    marks = [began, *(_moment(last[f"{name}_at"]) for name in ("detected", "action_started", "action_finished"))]
    marks.append(_moment(last["verified_at"]))
    spans = [max(0.0, later - earlier) for earlier, later in pairwise(marks)]
    detect, decide, repair, verify = spans
    return Round(detect, decide, repair, verify, marks[-1] - began, last["playbook"] or "")


def _moment(told: str) -> float:
    return datetime.fromisoformat(told).timestamp()


async def one_round(fault: Fault, scene: Scene, guardian: Guardian) -> Round:
    """One fault, from all good to all good again, and taken back whatever came of it."""
    known = {incident["id"] for incident in await guardian.incidents(scene.host)}

    async def mended() -> list[dict[str, Any]]:
        new = [each for each in await guardian.incidents(scene.host) if each["id"] not in known]
        # Others, as of the fault's own restart, may be over before the one that counts has come.
        over = any(each["resolution"] == "auto" for each in new) and all(each["closed_at"] for each in new)
        return new if over and not await fault.symptom(scene) else []

    found: list[dict[str, Any]] = []
    try:
        with contextlib.suppress(CommandError):  # it may be mended under our hands
            await fault.inject(scene)
        with contextlib.suppress(TimeoutError):
            found = await until(mended, f"{fault.id} is over", within_s=max(GIVE_UP_S, fault.patience_s))
    finally:
        await fault.revert(scene)
    return phases(found)


async def measure(wanted: Sequence[Fault], rounds: int) -> dict[str, list[Round]]:
    """Every round of every fault; a new agent for each fault, so that none is slowed by what came before."""
    found: dict[str, list[Round]] = {}
    async with Fleet.booted("h1", "h2") as fleet:
        scene = await Scene.on(fleet)
        guardian = await Guardian.on(fleet)
        await guardian.start_aggregator()
        for fault in wanted:
            found[fault.id] = []
            for number in range(rounds):
                try:
                    await start_unprepared(guardian, scene)
                    found[fault.id].append(await one_round(fault, scene, guardian))
                except (TimeoutError, CommandError) as error:
                    show(f"{fault.id}: round {number + 1} could not be measured: {error}")
            show(" | ".join(row(fault.id, found[fault.id])))
    return found


def row(fault: str, rounds: Sequence[Round]) -> list[str]:
    """A line of the table: p50 and the largest of each phase."""
    healed = [each for each in rounds if math.isfinite(each.total)]
    books = "/".join(sorted({each.playbook for each in healed})) or "none"
    cells = [fault, books, f"{len(healed)}/{len(rounds)}"]
    for phase in PHASES:
        values = sorted(getattr(each, phase) for each in rounds) or [NEVER]
        cells.append(f"{_seconds(median(values))} {_seconds(values[-1])}")
    return cells


def _seconds(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "never"


def misses(found: dict[str, list[Round]]) -> list[str]:
    """The faults that miss a goal: p50 under 5 s and the largest under 30 s."""
    totals = {fault: [each.total for each in rounds] or [NEVER] for fault, rounds in found.items()}
    return [fault for fault, each in totals.items() if median(each) > GOAL_P50_S or max(each) > GOAL_MAX_S]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.mttr")
    parser.add_argument("--rounds", type=int, default=10, help="of each fault (10)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where every round is written")
    parser.add_argument("ids", nargs="*", metavar="FAULT", help="default: all that a host can mend")
    args = parser.parse_args()
    by_id = {fault.id: fault for fault in FAULTS}
    if unknown := set(args.ids) - by_id.keys():
        show(f"no such fault: {', '.join(sorted(unknown))}")
        return 2
    if (line := asyncio.run(obstacle())) is not None:
        show(line)
        return 1
    wanted = [by_id[name] for name in args.ids] or [fault for fault in FAULTS if fault.mend is Mend.HOST]
    found = asyncio.run(measure(wanted, args.rounds))
    if args.json:
        args.json.write_text(json.dumps({fault: list(map(asdict, rounds)) for fault, rounds in found.items()}))
    head = ["fault", "playbook", "healed", *(f"{phase}: p50 max, s" for phase in PHASES)]
    print(table(head, [row(fault, rounds) for fault, rounds in found.items()]))
    missed = misses(found)
    verdict = f"missed by {', '.join(missed)}" if missed else "met by all"
    print(f"p50 under {GOAL_P50_S:g} s and none over {GOAL_MAX_S:g} s: {verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
