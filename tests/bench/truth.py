"""How far is what Guardian reports from what a client saw?

    python -m tests.bench.truth [--rounds 20]

One run on the bed (root): nginx is killed, or frozen, again and again under the agent; a client on the hub asks every
20 ms. Prints, for each kind of fault, Guardian's times less the client's. Not a test: it asserts nothing.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from statistics import median

from tests.bed.fleet import Fleet, show
from tests.bed.guardian import Guardian
from tests.bed.ledger import AT_ONCE
from tests.bed.requirements import obstacle
from tests.bed.truth import Differences, differences
from tests.bed.waiting import until
from tests.bed.watch import watching
from tests.bench.numbers import table

SIGNALS = ("KILL", "STOP")


async def one_round(fleet: Fleet, guardian: Guardian, signal: str) -> Differences:
    """One fault, from all good to all good again."""
    host = fleet["h1"]
    await guardian.all_good(host)
    known = {incident["id"] for incident in await guardian.incidents(host)}
    async with watching(fleet.hub, f"http://{host.address}/", interval_s=0.02) as watch:
        await host.must("systemctl", "kill", f"--signal={signal}", "nginx")
        bad = await watch.wait_bad()
        await watch.wait_good(after=bad.asked, within_s=30.0)

        async def closed() -> list[dict[str, object]]:
            every = await guardian.incidents(host)
            return [each for each in every if each["id"] not in known and each["closed_at"]]

        (incident,) = await until(closed, "the incident is closed", within_s=30.0)
        return differences(incident, watch.outages()[0])


async def measure(rounds: int) -> dict[str, list[Differences]]:
    """Every round of every kind, in turns."""
    async with Fleet.booted("h1") as fleet:
        guardian = await Guardian.on(fleet)
        await guardian.start_aggregator()
        await guardian.start_agent(fleet["h1"], agent={"actions_per_hour": 10000}, extra=AT_ONCE)
        found: dict[str, list[Differences]] = {signal: [] for signal in SIGNALS}
        for number in range(rounds):
            for signal in SIGNALS:
                found[signal].append(await one_round(fleet, guardian, signal))
            show(f"round {number + 1} of {rounds}")
        return found


def rows(signal: str, told: Sequence[Differences]) -> list[list[str]]:
    """A row for each difference: least, median, largest, in milliseconds."""
    names = {"begin_s": "begin", "end_s": "end", "length_s": "length", "upper_s": "recover_upper less the outage"}
    lines = []
    for name, words in names.items():
        values = sorted(getattr(each, name) * 1000 for each in told)
        lines.append([f"SIG{signal}, {words}", *(f"{value:+.0f}" for value in (values[0], median(values), values[-1]))])
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.truth")
    parser.add_argument("--rounds", type=int, default=20, help="faults of each kind (20)")
    args = parser.parse_args()
    if (line := asyncio.run(obstacle())) is not None:
        show(line)
        return 1
    found = asyncio.run(measure(args.rounds))
    lines = [row for signal in SIGNALS for row in rows(signal, found[signal])]
    print(table(["Guardian less client, ms", "least", "median", "largest"], lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
