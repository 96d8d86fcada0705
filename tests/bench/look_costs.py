"""What does one look of each probe cost?

Runs by itself in a host, with Guardian's own Python and the installed Guardian: the probes of a configuration, one at a
time, so many looks each, or fewer of those that take long. Prints JSON, a line for each probe and target: processor
time (this process and programs that it ran) and time that passed, in milliseconds a look, and what the last look said.
"""

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from guardian_agent import cli
from guardian_agent.detection.looking import look_once
from guardian_agent.detection.watches import watches_of
from guardian_agent.host import KnownGood
from guardian_agent.host.local import LocalHost

LONGEST_S = 3.0  # for all looks at one target: some wait for an answer, which costs nothing


def processor_s() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


async def main(file: Path, known: KnownGood, looks: int) -> None:
    config = cli._load(argparse.Namespace(config=file))  # what every command of it begins with
    with tempfile.TemporaryDirectory() as state:
        async with LocalHost(Path(state)) as host:
            host.known.good = known
            for watch in watches_of(config.components, config.probes):
                last = await look_once(host, watch.probe, watch.schedule.timeout_s)  # what is opened or loaded once
                began_s, used_s = time.monotonic(), processor_s()
                made = 0
                while made < looks and time.monotonic() < began_s + LONGEST_S:
                    last = await look_once(host, watch.probe, watch.schedule.timeout_s)
                    made += 1
                used_s, took_s = processor_s() - used_s, time.monotonic() - began_s
                answer = {
                    "probe": watch.probe_id,
                    "target": watch.target,
                    "interval_s": watch.schedule.interval_s,
                    "processor_ms": used_s * 1000 / made,
                    "took_ms": took_s * 1000 / made,
                    "ok": last.ok,
                    "unknown": last.unknown,
                }
                print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    good = msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=KnownGood)
    asyncio.run(main(Path(sys.argv[1]), good, int(sys.argv[3])))
