"""How soon after a fault does the agent know?

    python -m tests.bench.detection [--rounds 10] [--only WORD] [--json FILE]

One run on the bed (root): a host with every workload, and its agent, which only observes, so that each fault stays
until it is reverted here. Time zero is CLOCK_BOOTTIME just before the injecting command acts; an incident's
`detected_at` is by the same clock. Not a test: it asserts nothing.
"""

import argparse
import asyncio
import contextlib
import json
import math
import platform
import random
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.bed.faults.acts import filled_in
from tests.bed.faults.catalogue import FAULTS
from tests.bed.faults.fault import Act, Scene
from tests.bed.fleet import Fleet, show
from tests.bed.guardian import Guardian
from tests.bed.requirements import obstacle
from tests.bed.spawned import Spawned
from tests.bed.verdicts import declared
from tests.bed.waiting import until
from tests.bench.healers import UNIT, revive
from tests.bench.numbers import milliseconds, table

ACT = Path(__file__).with_name("act.py").read_text()
CLIENT = Path(__file__).with_name("client.py").read_text()
INJECT = Path(__file__).with_name("inject.py").read_text()

CALM_S = (1.0, 6.5)  # before a fault, at random: it hits every probe's interval anywhere
LEFT_ALONE_S = 1.0  # after a fault: whoever asks the agent takes the processor from it
GIVE_UP_S = 15.0
WELL_WITHIN_S = 90.0
ASK_EVERY_S = 0.02
ASK_TIMEOUT_S = 0.25
KILL, STOP = "9", "19"

BY_ID = {fault.id: fault for fault in FAULTS}

Moment = tuple[float, float]  # just before it acted, and just after
Inject = Callable[[Scene], Awaitable[Moment]]


def now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def signals(number: str) -> Inject:
    """A signal to every process of nginx."""

    async def inject(scene: Scene) -> Moment:
        said = await scene.host.must("python3", "-IS", "-c", INJECT, UNIT, number)
        before, after, signalled = said.split()
        if int(signalled) == 0:
            raise ValueError(f"{UNIT} had no process to signal")
        return float(before), float(after)

    return inject


def at_once(*argv: str, in_router: bool = False) -> Inject:
    """One command, on the host or in the router."""

    async def inject(scene: Scene) -> Moment:
        words = ["python3", "-IS", "-c", ACT, *(filled_in(scene, word) for word in argv)]
        done = await (scene.router.exec(*words) if in_router else scene.host.exec(*words))
        before, after = done.check().out.split()
        return float(before), float(after)

    return inject


def as_catalogued(fault_id: str) -> Inject:
    """All that a fault of the bed does, which is several commands; the time is taken before the first."""

    async def inject(scene: Scene) -> Moment:
        before = now()
        await BY_ID[fault_id].inject(scene)
        return before, now()

    return inject


async def revives(scene: Scene) -> None:
    await revive(scene.host)


@dataclass(frozen=True)
class Case:
    """One fault, what it is to be called, and how soon."""

    name: str
    issue_type: str
    goal_s: float
    inject: Inject
    revert: Act
    asked: bool = False  # a client asks nginx all the time

    @classmethod
    def of(cls, fault_id: str, goal_s: float, inject: Inject) -> "Case":
        fault = BY_ID[fault_id]
        return cls(fault_id.replace("_", " "), fault.issue_type, goal_s, inject, fault.revert)


# As declared: an answer has 0.5 s, and is asked for each 0.5 s; after a bad one the next comes a quarter of that later.
TIMEOUT_S, INTERVAL_S = 0.5, 0.5
QUIET_HANG_S = INTERVAL_S + TIMEOUT_S + INTERVAL_S / 4 + TIMEOUT_S

CASES = (
    Case("service killed", "service_failed", 0.020, signals(KILL), revives),
    Case.of("link_down", 0.050, at_once("ip", "link", "set", "host0", "down")),
    Case.of("carrier_lost", 0.050, at_once("ip", "link", "set", "{outer}", "down", in_router=True)),
    Case.of("address_flushed", 0.050, at_once("ip", "address", "flush", "dev", "host0")),
    Case.of("default_route_deleted", 0.050, at_once("ip", "route", "del", "default")),
    Case.of("gateway_mute", 1.0, as_catalogued("gateway_mute")),
    Case("hang under traffic", "service_hung", 0.4, signals(STOP), revives, asked=True),
    Case("hang without traffic", "service_hung", QUIET_HANG_S, signals(STOP), revives),
)


@dataclass(frozen=True)
class Delay:
    """One round, in seconds after the fault; infinite where nothing came."""

    fault_at: float  # CLOCK_BOOTTIME, s
    injecting_s: float
    named_s: float  # to the detection of the incident that has the right name
    any_s: float  # to that of whatever incident was first


@dataclass
class Bench:
    """A host and its agent, and what was measured so far."""

    scene: Scene
    guardian: Guardian
    chance: random.Random
    delays: defaultdict[str, list[Delay]] = field(default_factory=lambda: defaultdict(list))

    async def run(self, cases: Sequence[Case], rounds: int) -> None:
        """Every round of every case, in turns."""
        for number in range(rounds):
            for case in cases:
                delay = await self.round(case)
                self.delays[case.name].append(delay)
                show(f"{number + 1}/{rounds} {case.name}: {milliseconds(delay.named_s)} ms")

    async def round(self, case: Case) -> Delay:
        """One fault, from all good to all good again."""
        await self.guardian.all_good(self.scene.host, within_s=WELL_WITHIN_S)
        client = self._client() if case.asked else None
        try:
            await asyncio.sleep(self.chance.uniform(*CALM_S))
            try:
                before, after = await case.inject(self.scene)
                await asyncio.sleep(LEFT_ALONE_S)
                return await self._delay(case, before, after)
            finally:
                await case.revert(self.scene)
        finally:
            if client is not None:
                client.stop()

    def _client(self) -> Spawned:
        url = f"http://{self.scene.host.address}/"
        return self.scene.hub.spawn("python3", "-c", CLIENT, url, str(ASK_EVERY_S), str(ASK_TIMEOUT_S))

    async def _delay(self, case: Case, before: float, after: float) -> Delay:
        """Waits until an incident of the right name is there; whatever else there is then counts as any."""
        detected: dict[str, float] = {}
        named: set[str] = set()

        async def seen() -> bool:
            for incident in (await self.guardian.status(self.scene.host))["incidents"]:
                detected[incident["incident_id"]] = int(incident["detected_at"]["boottime_ns"]) / 1e9 - before
                if incident["issue_type"] == case.issue_type:
                    named.add(incident["incident_id"])
            return bool(named)

        with contextlib.suppress(TimeoutError):
            await until(seen, f"{case.issue_type} is detected", within_s=GIVE_UP_S, every_s=0.5)
        if not named:
            show(f"{case.name}: no {case.issue_type} after {GIVE_UP_S:g} s")
        return Delay(
            fault_at=before,
            injecting_s=after - before,
            named_s=min((detected[each] for each in named), default=math.inf),
            any_s=min(detected.values(), default=math.inf),
        )


def result(cases: Sequence[Case], delays: dict[str, list[Delay]]) -> str:
    """A row for each case, judged by its median."""
    rows = []
    for case in cases:
        of_case = delays[case.name]
        named = [each.named_s for each in of_case]
        middle = median(named)
        rows.append(
            [
                case.name,
                f"{sum(map(math.isfinite, named))}/{len(named)}",
                *map(milliseconds, (min(named), middle, max(named), case.goal_s)),
                "met" if middle <= case.goal_s else "MISSED",
                milliseconds(median(each.any_s for each in of_case)),
                f"{median(each.injecting_s for each in of_case) * 1000:.1f}",
            ]
        )
    header = ["ms from fault to detected_at", "seen", "min", "median", "max", "goal", "", "any incident", "injecting"]
    return table(header, rows)


def as_json(bench: Bench, seed: int) -> dict[str, Any]:
    """Every round as it was; null where nothing was detected."""

    def finite(delay: Delay) -> dict[str, float | None]:
        return {name: value if math.isfinite(value) else None for name, value in asdict(delay).items()}

    cases = {name: [finite(each) for each in delays] for name, delays in bench.delays.items()}
    return {"kernel": platform.release(), "seed": seed, "cases": cases}


async def measure(args: argparse.Namespace, cases: Sequence[Case]) -> Bench:
    """Boots, runs every case, and takes everything down again."""
    async with Fleet.booted("h1", "h2") as fleet:
        scene = await Scene.on(fleet)
        guardian = await Guardian.on(fleet)
        await guardian.start_aggregator()
        components = await declared(scene.host, scene.hub)
        await guardian.start_agent(scene.host, components=components, agent={"mode": "observe"})
        bench = Bench(scene, guardian, random.Random(args.seed))
        try:
            await bench.run(cases, args.rounds)
        finally:
            if args.journal is not None:
                args.journal.write_text(await scene.host.journal("guardian-agent", lines=100000))
        return bench


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.detection", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=10, help="faults of each kind (10)")
    parser.add_argument("--only", default="", help="faults with this in their name only")
    parser.add_argument("--seed", type=int, default=20261124, help="of the random pauses before faults")
    parser.add_argument("--json", type=Path, help="also write every round to this file")
    parser.add_argument("--journal", type=Path, help="also write the agent's journal to this file")
    args = parser.parse_args()
    if (line := asyncio.run(obstacle())) is not None:
        show(line)
        return 1
    cases = [case for case in CASES if args.only in case.name]
    bench = asyncio.run(measure(args, cases))
    print(result(cases, bench.delays))
    print("\nhang without traffic: an interval, two time limits, and a quarter of an interval between the two looks")
    print("injecting: from just before the command was started to its end; it acts in between, and all of it counts")
    if args.json is not None:
        args.json.write_text(json.dumps(as_json(bench, args.seed), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
