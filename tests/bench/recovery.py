"""How soon does a client see HTTP 200 again after nginx was killed, or frozen, under different healers?

    python -m tests.bench.recovery [--rounds 20] [--json FILE]

One run on the bed (root): a host with nginx, and a client on the hub that asks it every few milliseconds. The healers
take turns in blocks of a few rounds, so that a noisy moment of the machine hits all of them. Not a test: it asserts
nothing.
"""

import argparse
import asyncio
import contextlib
import json
import platform
import random
import signal
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.bed.fleet import Fleet, show
from tests.bed.guardian import Guardian
from tests.bed.host import Host
from tests.bed.requirements import obstacle
from tests.bed.spawned import Spawned
from tests.bed.waiting import until
from tests.bench.healers import UNIT, GuardianAgent, Healer, Monit, Systemd, revive
from tests.bench.numbers import Answer, Recovery, Summary, milliseconds, ratio, recovery, table, times

CLIENT = Path(__file__).with_name("client.py").read_text()
INJECT = Path(__file__).with_name("inject.py").read_text()

ASK_EVERY_S = 0.005
ASK_TIMEOUT_S = 0.25
GIVE_UP_S = 30.0
CALM_S = (1.0, 2.5)  # before a fault, at random: it hits every healer's cycle anywhere
RELAPSE_S = 1.0  # how long the client is listened to after the first 200
HOPELESS_ROUNDS = 2  # of a hang under systemd alone, which it cannot see

CRASH, HANG = "crash", "hang"
SIGNALS = {CRASH: signal.SIGKILL, HANG: signal.SIGSTOP}
FASTEST = "systemd RestartSec=0"
MONIT = "Monit"
GUARDIAN = "Guardian"
GUARDIAN_FIRST = "Guardian, first fault"
GUARDIAN_QUICK = "Guardian, 0.25 s health"
WORST_TO_SYSTEMD = 1.5
LEAST_TO_MONIT = 10.0
LONGEST_HANG_S = 1.0


@dataclass(frozen=True)
class Case:
    """One fault under one healer."""

    fault: str
    healer: Healer
    rounds: int
    in_a_row: int = 1000  # at most so many before the healer begins anew

    @property
    def key(self) -> tuple[str, str]:
        return self.fault, self.healer.name


@dataclass
class Client:
    """The asking client on the hub, and its answers as they come."""

    program: Spawned
    _read: int = 0
    answers: list[Answer] = field(default_factory=list)

    @classmethod
    def on(cls, hub: Host, url: str) -> "Client":
        return cls(hub.spawn("python3", "-c", CLIENT, url, str(ASK_EVERY_S), str(ASK_TIMEOUT_S)))

    def take_in(self) -> list[Answer]:
        """All answers since `forget`. Raises ValueError with the client's own words when it broke."""
        with self.program.output.open("rb") as output:
            output.seek(self._read)
            text = output.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        lines = whole.decode(errors="replace").splitlines()
        try:
            self.answers += map(Answer.read, lines)
        except ValueError:
            raise ValueError("the client broke:\n" + "\n".join(lines[-20:])) from None
        return self.answers

    def forget(self) -> None:
        self.take_in()
        self.answers.clear()


@dataclass
class Bench:
    """One host with nginx, its client, and what was measured so far."""

    host: Host
    client: Client
    chance: random.Random
    recoveries: defaultdict[tuple[str, str], list[Recovery]] = field(default_factory=lambda: defaultdict(list))
    injections_s: list[float] = field(default_factory=list)  # from the first signal to the last

    async def run(self, cases: Sequence[Case], block: int) -> None:
        """Runs all rounds of all cases, in blocks that take turns."""
        while turn := [case for case in cases if len(self.recoveries[case.key]) < case.rounds]:
            for case in turn:
                done = len(self.recoveries[case.key])
                wanted = min(done + block, case.rounds)
                while len(self.recoveries[case.key]) < wanted:
                    await self._begin_anew(case, min(case.in_a_row, wanted - len(self.recoveries[case.key])))
                newest = ", ".join(milliseconds(each.seconds) for each in self.recoveries[case.key][done:])
                show(f"{case.fault}, {case.healer.name}: {newest} ms")

    async def _begin_anew(self, case: Case, rounds: int) -> None:
        await case.healer.begin(self.host)
        try:
            for _ in range(rounds):
                self.recoveries[case.key].append(await self.round(case))
        finally:
            await case.healer.end(self.host)

    async def round(self, case: Case) -> Recovery:
        """One fault, and what the client saw of it; nginx is well afterwards, whoever brought it back."""
        await asyncio.sleep(self.chance.uniform(*CALM_S))
        await self._calm()
        argv = ["python3", "-IS", "-c", INJECT, UNIT, str(int(SIGNALS[case.fault]))]
        first, last, signalled = (await self.host.must(*argv)).split()
        if int(signalled) == 0:
            raise ValueError(f"{UNIT} had no process to signal")
        self.injections_s.append(float(last) - float(first))
        found = await self._recovery(float(first))
        if not found.recovered:
            show(f"{case.fault}, {case.healer.name}: not recovered after {GIVE_UP_S:g} s")
            await revive(self.host)
        await case.healer.settled(self.host)
        return found

    async def _calm(self) -> None:
        """Raises ValueError when the client is not getting good answers before the fault."""
        self.client.forget()
        await asyncio.sleep(0.3)
        answers = self.client.take_in()
        if not answers or not all(answer.good for answer in answers):
            raise ValueError(f"nginx was not well before a fault: {answers[-5:]}")

    async def _recovery(self, fault_at: float) -> Recovery:
        async def recovered() -> bool:
            return recovery(self.client.take_in(), fault_at).recovered

        with contextlib.suppress(TimeoutError):
            await until(recovered, "nginx answers 200", within_s=GIVE_UP_S, every_s=0.2)
            await asyncio.sleep(RELAPSE_S)
        return recovery(self.client.take_in(), fault_at)


def cases(guardian: Guardian, rounds: int) -> list[Case]:
    """Everything that is measured, in the order of the blocks."""
    by_default = GuardianAgent(GUARDIAN, guardian, {})
    quick = GuardianAgent(GUARDIAN_QUICK, guardian, {"timeout_s": 0.25, "interval_s": 0.25})
    monit = Monit(MONIT, "/usr/bin/systemctl stop nginx")
    monit_kill = Monit("Monit, stop by SIGKILL", "/usr/bin/systemctl kill --signal=KILL nginx")
    return [
        Case(CRASH, Systemd("0"), rounds),
        Case(CRASH, by_default, rounds),
        Case(CRASH, GuardianAgent(GUARDIAN_FIRST, guardian, {}, forgets=True), rounds, in_a_row=1),
        Case(CRASH, quick, rounds),
        Case(CRASH, Systemd("100ms"), rounds),
        Case(CRASH, monit, rounds),
        Case(HANG, by_default, rounds),
        Case(HANG, quick, rounds),
        Case(HANG, monit, rounds),
        Case(HANG, monit_kill, rounds),
        Case(HANG, Systemd("0"), min(rounds, HOPELESS_ROUNDS)),
    ]


Summaries = dict[tuple[str, str], Summary]


def tables(summaries: Summaries) -> str:
    """One table for each fault."""
    parts = []
    for fault in SIGNALS:
        if not (of_fault := {healer: summary for (kind, healer), summary in summaries.items() if kind == fault}):
            continue
        rows = []
        for healer, summary in of_fault.items():
            against = [of_fault[other].median if other in of_fault else 0.0 for other in (FASTEST, MONIT)]
            row = [healer, f"{summary.recovered}/{summary.rounds}", str(summary.relapsed)]
            row += map(milliseconds, (summary.minimum, summary.median, summary.maximum))
            rows.append([*row, *(times(ratio(summary.median, other)) for other in against)])
        header = [
            f"{fault}, ms to HTTP 200",
            "recovered",
            "relapsed",
            "min",
            "median",
            "max",
            f"to {FASTEST}",
            f"to {MONIT}",
        ]
        parts.append(table(header, rows))
    return "\n\n".join(parts)


def goals(summaries: Summaries) -> str:
    """The three goals, each with the number that it is judged by."""
    crash, fastest = summaries[CRASH, GUARDIAN].median, summaries[CRASH, FASTEST].median
    monit = summaries[CRASH, MONIT].median
    hang, quick = summaries[HANG, GUARDIAN].median, summaries[HANG, GUARDIAN_QUICK].median

    def verdict(met: bool) -> str:
        return "met" if met else "MISSED"

    to_systemd, from_monit = ratio(crash, fastest), ratio(monit, crash)
    return "\n".join(
        (
            f"crash, median at most {WORST_TO_SYSTEMD:g}x {FASTEST}: {times(to_systemd)}, "
            + verdict(to_systemd is not None and to_systemd <= WORST_TO_SYSTEMD),
            f"crash, median at least {LEAST_TO_MONIT:g}x faster than Monit: {times(from_monit)}, "
            + verdict(from_monit is not None and from_monit >= LEAST_TO_MONIT),
            f"hang, median under {LONGEST_HANG_S:g} s, default health: {milliseconds(hang)} ms, "
            + verdict(hang < LONGEST_HANG_S),
            f"hang, median under {LONGEST_HANG_S:g} s, 0.25 s health: {milliseconds(quick)} ms, "
            + verdict(quick < LONGEST_HANG_S),
        )
    )


def as_json(bench: Bench, seed: int) -> dict[str, Any]:
    """Every round as it was; null where nothing recovered."""
    return {
        "kernel": platform.release(),
        "seed": seed,
        "ask_every_s": ASK_EVERY_S,
        "ask_timeout_s": ASK_TIMEOUT_S,
        "injections_s": bench.injections_s,
        "cases": [
            {
                "fault": fault,
                "healer": healer,
                "fault_at": [each.fault_at for each in recoveries],
                "seconds": [each.seconds if each.recovered else None for each in recoveries],
                "relapsed": sum(each.relapsed for each in recoveries),
            }
            for (fault, healer), recoveries in bench.recoveries.items()
        ],
    }


async def measure(args: argparse.Namespace) -> Bench:
    """Boots, runs every case, and takes everything down again."""
    async with Fleet.booted("h1") as fleet:
        host = fleet["h1"]
        guardian = await Guardian.on(fleet)
        await guardian.start_aggregator()
        bench = Bench(host, Client.on(fleet.hub, f"http://{host.address}/"), random.Random(args.seed))
        try:
            wanted = [case for case in cases(guardian, args.rounds) if args.only in (None, case.fault)]
            wanted = [case for case in wanted if args.healer in case.healer.name]
            await bench.run(wanted, args.block)
        finally:
            bench.client.program.stop()
            if args.journal is not None:
                args.journal.write_text(await host.journal("guardian-agent", lines=100000))
        return bench


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.recovery", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=20, help="faults of each case (20)")
    parser.add_argument("--block", type=int, default=5, help="faults in a row under one healer (5)")
    parser.add_argument("--only", choices=list(SIGNALS), help="this fault only; no goals are judged")
    parser.add_argument("--healer", default="", help="healers with this in their name only; no goals are judged")
    parser.add_argument("--seed", type=int, default=20261122, help="of the random pauses before faults")
    parser.add_argument("--json", type=Path, help="also write every round to this file")
    parser.add_argument("--journal", type=Path, help="also write the agent's journal to this file")
    args = parser.parse_args()
    if (line := asyncio.run(obstacle())) is not None:
        show(line)
        return 1
    bench = asyncio.run(measure(args))
    summaries = {key: Summary.of(recoveries) for key, recoveries in bench.recoveries.items()}
    print(tables(summaries))
    if args.only is None and not args.healer:
        print(f"\n{goals(summaries)}")
    spread = [f"{value * 1e6:.0f}" for value in (median(bench.injections_s), max(bench.injections_s))]
    print(f"\nfrom the first signal of a fault to the last: median {spread[0]} µs, at most {spread[1]} µs")
    if args.json is not None:
        args.json.write_text(json.dumps(as_json(bench, args.seed), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
