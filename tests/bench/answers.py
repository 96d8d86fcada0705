"""How fast does each statistics endpoint answer, and does it stay so with ten and a hundred times the history?

    python -m tests.bench.answers 100000 1000000

fills one database for each number of executions (thirty days, a thousand hosts, an incident for each execution), serves
the API on it and asks every endpoint in turn. Prints p50 and p99 in milliseconds, and each p50 as a ratio of the first
database's. Nothing is written meanwhile: what ingest costs the answers is not in these numbers.
"""

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

import apsw
from aiohttp import ClientSession
from aiohttp.web import AppRunner, TCPSite
from tests.aggregator.api import rows

from guardian_aggregator.api import make_application
from guardian_aggregator.store import Queries, open_writer
from guardian_aggregator.store.projection import put_execution, put_incident
from guardian_aggregator.store.rollups import settle

HOSTS, DAYS, A_COMMIT, ASKED = 1000, 30, 5000, 200
ENDPOINTS = (
    "stats",
    "stats?window=30d",
    "stats?window=30d&issue_type=issue_3",
    "stats?window=30d&host=web-7",
    "healer/stats?window=30d",
    "playbooks?window=30d",
    "mttr/by-issue-type?window=30d",
    "mttr/by-playbook?window=30d",
    "failures/recent?window=30d&limit=20",
    "osi?window=30d",
)


def fill(path: Path, number: int) -> None:
    """A history such as a fleet has: twelve kinds of trouble, most of it healed within seconds."""
    connection = open_writer(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("INSERT INTO streams VALUES (1, 'web-0', x'00', 0, NULL, 0, 0)")
    now = time.time_ns()
    for host in range(HOSTS):
        connection.execute(
            "INSERT INTO agents (agent_id, labels, agent_version, mode, boot_id, targets, watches, connected,"
            " first_seen_at, last_seen_at, stream) VALUES (?, '{}', '', 'heal', '', '[]', '[]', 1, 0, ?, 1)",
            (f"web-{host}", now),
        )
    chance = random.Random(number)
    for first in range(0, number, A_COMMIT):
        with connection:
            for place in range(first, min(number, first + A_COMMIT)):
                put(connection, chance, place, now)
            settle(connection)
    connection.close()


def put(connection: apsw.Connection, chance: random.Random, place: int, now: int) -> None:
    agent_id, kind = f"web-{chance.randrange(HOSTS)}", chance.randrange(12)
    at = now - int(chance.random() * DAYS * 86_400e9)
    ending = chance.choice(["auto"] * 8 + ["manual", "spontaneous"])
    healed = chance.choice(["healed"] * 9 + ["ineffective"])
    name, issue_type = f"{place:012d}", f"issue_{kind}"
    about = {"agent_id": agent_id, "target": f"component-{chance.randrange(5)}"}
    incident = rows.incident(name, issue_type, at, chance.lognormvariate(1, 1), ending, layer=kind % 8 + 1, **about)
    put_incident(connection, incident)
    run = rows.execution(f"x{name}", name, f"playbook_{kind}", healed, at, issue_type=issue_type, **about)
    put_execution(connection, run)


async def ask(path: Path) -> dict[str, tuple[float, float]]:
    """p50 and p99 of each endpoint in milliseconds, the first answers left out."""
    queries = Queries(path)
    runner = AppRunner(make_application(queries), access_log=None)
    await runner.setup()
    await TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}/api/guardian"
    found = {}
    async with ClientSession() as session:
        for endpoint in ENDPOINTS:
            took = [await once(session, f"{base}/{endpoint}") for _ in range(ASKED + 5)][5:]
            found[endpoint] = median(took), quantiles(took, n=100)[98]
    await runner.cleanup()
    queries.close()
    return found


async def once(session: ClientSession, url: str) -> float:
    began = time.perf_counter()
    async with session.get(url) as answer:
        await answer.read()
        assert answer.status == 200, url
    return (time.perf_counter() - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("executions", type=int, nargs="+")
    first: dict[str, tuple[float, float]] = {}
    for number in parser.parse_args().executions:
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            fill(Path(folder) / "guardian.db", number)
            took, size = time.monotonic() - began, (Path(folder) / "guardian.db").stat().st_size
            print(f"\n{number} executions: filled in {took:.0f} s, {size / number:.0f} bytes each")
            found = asyncio.run(ask(Path(folder) / "guardian.db"))
        first = first or found
        for endpoint, (p50, p99) in found.items():
            print(f"  {endpoint:40} p50 {p50:7.2f}  p99 {p99:7.2f}  {p50 / first[endpoint][0]:5.2f} x")


if __name__ == "__main__":
    main()
