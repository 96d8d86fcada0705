"""What does the agent take from its host, beside Monit and Prometheus's exporters that look at the same things?

    python -m tests.bench.agent_footprint [--seconds 60] [--looks 100] [--json FILE]

One run on the bed (root): a host with every workload, watched by all of them at the same time, each every five seconds;
then by the agent alone, at its own intervals and without its probes. Also: from its start to its first looks, what a
look of each probe costs, and what grpcio does. Not a test: it asserts nothing.
"""

import argparse
import asyncio
import json
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.bed.commands import CommandError
from tests.bed.faults.fault import Scene
from tests.bed.fleet import Fleet, show
from tests.bed.guardian import Guardian
from tests.bed.guardian import table as toml_table
from tests.bed.product import VENV
from tests.bed.requirements import obstacle
from tests.bed.verdicts import AGENT, declared
from tests.bench.footprint import Footprint
from tests.bench.numbers import ratio, table, times
from tests.bench.peers import BLACKBOX, MONIT_UNIT, NODE, Exporters, exporters, start_monit

from guardian_agent.probes import PROBES

HERE = Path(__file__)
WEIGH = HERE.with_name("weigh.py").read_text()
FIRST_LOOKS = HERE.with_name("first_looks.py").read_text()
LOOK_COSTS = HERE.with_name("look_costs.py").read_text()
IMPORT_COST = HERE.with_name("import_cost.py").read_text()

EVERY_S = 5
SETTLE_S = 20.0  # after a start, before anything is weighed
SOCKET = "/var/lib/guardian-agent/agent.sock"
KNOWN = "/run/bench-known-good.json"
MOST_SHARE = 0.002
MOST_RSS_MB = 46.0
LONGEST_START_MS = 400.0

GUARDIAN = f"Guardian, every {EVERY_S} s"
GUARDIAN_OWN, GUARDIAN_BLIND = "Guardian, as it comes", "Guardian, no probe on"
MONIT, EXPORTERS = "Monit", "node + blackbox exporter"
NOTES = """\
% of a core is what all processes of a unit had, in ns; of it threads: others than the first, which is the loop's;
of it programs: health commands, in ticks. As it comes: intervals as packaged, health as declared (0.5 s).
CPU-ms of looks: one target after the other in one process; what the agent does beside looking is not in it."""
IMPORTS = {
    "asyncio, msgspec": ("asyncio", "msgspec"),
    "… and grpc.aio": ("asyncio", "msgspec", "grpc.aio"),
    "… and all of the agent": ("asyncio", "msgspec", "grpc.aio", "guardian_agent.daemon"),
}


def tables_of_all(key: str, value: object) -> str:
    """A table for each probe there is."""
    return "".join(toml_table(f"probes.{probe.probe_id()}", {key: value}) for probe in PROBES)


def all_every(components: str, every_s: int) -> tuple[str, str]:
    """The components, and the tables of the probes, so that everything is looked at that often."""
    slower = re.sub(r"interval_s = [0-9.]+", f"interval_s = {every_s}.0", components)
    return slower, tables_of_all("interval_s", every_s)


@dataclass
class Bench:
    """A host with every workload, and what was measured so far."""

    scene: Scene
    guardian: Guardian
    seconds: float
    footprints: dict[str, Footprint] = field(default_factory=dict)
    starts_s: list[tuple[float, float, float]] = field(default_factory=list)  # until ready, an answer, all looks
    probes: int = 0
    looks: list[dict[str, Any]] = field(default_factory=list)
    imports: dict[str, tuple[float, int]] = field(default_factory=dict)  # ms, KiB, all modules together
    notes: list[str] = field(default_factory=list)

    async def run(self, starts: int, looks: int) -> None:
        host, hub = self.scene.host, self.scene.hub
        components = await declared(host, hub)
        often, tables = all_every(components, EVERY_S)
        await self.guardian.start_agent(host, components=often, extra=tables)
        await start_monit(host, hub, EVERY_S)
        scraped = await self._exporters()
        await self.guardian.all_good(host)
        await self._weigh(GUARDIAN, {GUARDIAN: (AGENT,), MONIT: (MONIT_UNIT,), **scraped})
        await host.must("systemctl", "stop", MONIT_UNIT, *(f"{unit}.service" for unit in (NODE, BLACKBOX) if scraped))
        await self._first_looks(starts)
        await self._look_costs(looks)
        await self._import_costs()
        await self.guardian.start_agent(host, components=components)
        await self.guardian.all_good(host)
        await self._weigh(GUARDIAN_OWN, {GUARDIAN_OWN: (AGENT,)})
        await self.guardian.start_agent(host, components=components, extra=tables_of_all("enabled", False))
        await self._weigh(GUARDIAN_BLIND, {GUARDIAN_BLIND: (AGENT,)})

    async def _exporters(self) -> Mapping[str, tuple[str, ...]]:
        try:
            folder = await exporters(show)
            begun = await Exporters.start(self.scene.host, self.scene.hub, EVERY_S, folder)
        except (CommandError, TimeoutError) as error:
            self.notes.append(f"without the exporters: {str(error).splitlines()[-1]}")
            return {}
        self.notes.append(
            f"each round of the exporters is {begun.urls} scrapes; what Prometheus itself takes is not in it"
        )
        return {EXPORTERS: (f"{NODE}.service", f"{BLACKBOX}.service")}

    async def _weigh(self, what: str, watchers: Mapping[str, tuple[str, ...]]) -> None:
        show(f"{what}: weighing for {self.seconds:g} s")
        await asyncio.sleep(SETTLE_S)
        units = [unit for of_watcher in watchers.values() for unit in of_watcher]
        before = await self._weighed(units)
        await asyncio.sleep(self.seconds)
        after = await self._weighed(units)
        took_s = after["at"] - before["at"]
        for name, of_watcher in watchers.items():
            self.footprints[name] = Footprint.together(
                Footprint.between(took_s, before["units"][unit], after["units"][unit]) for unit in of_watcher
            )

    async def _weighed(self, units: Sequence[str]) -> dict[str, Any]:
        weighed: dict[str, Any] = json.loads(await self.scene.host.must("python3", "-IS", "-c", WEIGH, *units))
        return weighed

    async def _first_looks(self, starts: int) -> None:
        for _ in range(starts):
            said = await self.scene.host.must("python3", "-I", "-c", FIRST_LOOKS, SOCKET, timeout_s=60)
            ready, answered, looked, probes = said.split()
            self.starts_s.append((float(ready), float(answered), float(looked)))
            self.probes = int(probes)

    async def _look_costs(self, looks: int) -> None:
        host = self.scene.host
        known = (await self.guardian.status(host))["known_good"]
        await host.must("systemctl", "stop", AGENT, timeout_s=90)
        await host.write_file(KNOWN, json.dumps(known))
        argv = [f"{VENV}/bin/python", "-I", "-c", LOOK_COSTS, "/etc/guardian/agent.toml", KNOWN, str(looks)]
        lines = (await host.must(*argv, timeout_s=600)).splitlines()
        self.looks = [json.loads(line) for line in lines]

    async def _import_costs(self) -> None:
        for name, modules in IMPORTS.items():
            said = await self.scene.host.must(f"{VENV}/bin/python", "-I", "-c", IMPORT_COST, *modules)
            lines = [line.split() for line in said.splitlines()]
            self.imports[name] = sum(float(ms) for ms, _ in lines), sum(int(kib) for _, kib in lines)


def megabytes(kib: float) -> float:
    return kib * 1024 / 1e6


def watchers_table(footprints: Mapping[str, Footprint]) -> str:
    rows = []
    ours = footprints[GUARDIAN]
    for name, each in footprints.items():
        own_round = f"{each.round_ms(EVERY_S):.1f}"
        used = (each.share, each.threads_s / each.seconds, each.children_s / each.seconds)
        shares = [f"{share * 100:.3f}" for share in used]
        sizes = f"{megabytes(each.rss_kib):.1f}", f"{megabytes(each.pss_kib):.1f}", str(each.threads)
        against = (ratio(ours.share, each.share), ratio(ours.rss_kib, each.rss_kib))
        rows.append([name, own_round, *shares, *sizes, *map(times, against)])
    header = [
        "watching",
        f"CPU-ms in {EVERY_S} s",
        "% of a core",
        "of it threads",
        "of it programs",
        "RSS MB",
        "PSS MB",
        "threads",
        "Guardian's CPU to it",
        "RSS to it",
    ]
    return table(header, rows)


def goals(bench: Bench) -> str:
    """The three goals, each with the numbers that it is judged by."""

    def verdict(met: bool) -> str:
        return "met" if met else "MISSED"

    share = {name: bench.footprints[name].share for name in (GUARDIAN, GUARDIAN_OWN)}
    rss = bench.footprints[GUARDIAN_OWN].rss_kib
    start_ms = median(looked for _, _, looked in bench.starts_s) * 1000
    lines = [
        f"at most {MOST_SHARE * 100:g} % of a core: {value * 100:.3f} % ({name}), {verdict(value <= MOST_SHARE)}"
        for name, value in share.items()
    ]
    lines.append(f"at most {MOST_RSS_MB:g} MB RSS: {megabytes(rss):.1f} MB, {verdict(megabytes(rss) <= MOST_RSS_MB)}")
    lines.append(
        f"all first looks at most {LONGEST_START_MS:g} ms after the start: {start_ms:.0f} ms, "
        f"{verdict(start_ms <= LONGEST_START_MS)}"
    )
    return "\n".join(lines)


def starts_table(bench: Bench) -> str:
    names = ("READY=1", "the first answer", f"all {bench.probes} probes have looked")
    rows = []
    for name, moments in zip(names, zip(*bench.starts_s, strict=True), strict=True):
        rows.append([name, *(f"{value * 1000:.0f}" for value in (min(moments), median(moments), max(moments)))])
    return table(["ms after the start, to", "min", "median", "max"], rows)


def looks_table(looks: Sequence[Mapping[str, Any]]) -> str:
    """A row for each probe, the dearest first: a round of all its targets."""
    rows = []
    for probe in {look["probe"] for look in looks}:
        of_probe = [look for look in looks if look["probe"] == probe]
        a_round = sum(look["processor_ms"] for look in of_probe)
        numbers = (a_round / len(of_probe), a_round)
        share = f"{_share(of_probe) * 100:.4f}"
        longest = f"{max(look['took_ms'] for look in of_probe):.2f}"
        unknown = next((look["unknown"] for look in of_probe if look["unknown"]), "")
        row = [probe, str(len(of_probe)), *(f"{number:.3f}" for number in numbers), share, longest, unknown]
        rows.append((a_round, row))
    rows.sort(reverse=True)
    total = sum(a_round for a_round, _ in rows)
    last = ["together", str(len(looks)), "", f"{total:.3f}", f"{_share(looks) * 100:.4f}", "", ""]
    header = ["CPU-ms", "targets", "a look", "a round", "% of a core", "takes ms", "cannot tell"]
    return table(header, [*(row for _, row in rows), last])


def _share(looks: Sequence[Mapping[str, Any]]) -> float:
    """Of one core, at the intervals that they were configured with."""
    return sum(look["processor_ms"] / 1000 / look["interval_s"] for look in looks)


def imports_table(imports: Mapping[str, tuple[float, int]]) -> str:
    rows = [[name, f"{ms:.0f}", f"{megabytes(kib):.1f}"] for name, (ms, kib) in imports.items()]
    return table(["importing", "CPU-ms", "RSS MB more"], rows)


def as_json(bench: Bench) -> dict[str, Any]:
    return {
        "kernel": platform.release(),
        "footprints": {name: vars(each) for name, each in bench.footprints.items()},
        "starts_s": bench.starts_s,
        "looks": bench.looks,
        "imports": bench.imports,
        "notes": bench.notes,
    }


async def measure(args: argparse.Namespace) -> Bench:
    """Boots, measures everything, and takes everything down again."""
    async with Fleet.booted("h1", "h2") as fleet:
        scene = await Scene.on(fleet)
        guardian = await Guardian.on(fleet)
        await guardian.start_aggregator()
        bench = Bench(scene, guardian, args.seconds)
        await bench.run(args.starts, args.looks)
        return bench


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.agent_footprint", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long processor time is added up (60)")
    parser.add_argument("--starts", type=int, default=5, help="starts of the agent (5)")
    parser.add_argument("--looks", type=int, default=100, help="looks of each probe, to tell what one costs (100)")
    parser.add_argument("--json", type=Path, help="also write all numbers to this file")
    args = parser.parse_args()
    if (line := asyncio.run(obstacle())) is not None:
        show(line)
        return 1
    bench = asyncio.run(measure(args))
    parts = [watchers_table(bench.footprints), starts_table(bench), looks_table(bench.looks)]
    parts += [NOTES, imports_table(bench.imports), goals(bench), *bench.notes]
    print("\n\n".join(parts))
    if args.json is not None:
        args.json.write_text(json.dumps(as_json(bench), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
