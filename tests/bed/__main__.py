"""The bed by hand: `python -m tests.bed up`, then look around, break things, and `down`."""

import argparse
import asyncio
import contextlib
import sys

from tests.bed.commands import CommandError
from tests.bed.fleet import Fleet, show
from tests.bed.host import HostDownError
from tests.bed.requirements import obstacle
from tests.bed.router import Direction
from tests.bed.runs import Run, known_runs, sweep


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m tests.bed", description=__doc__)
    top.add_argument("--run", help="the run's id; may be left out when there is only one")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="boot a hub and hosts h1, h2, …; prints the run's id")
    up.add_argument("-n", "--hosts", type=int, default=2, metavar="N", help="how many hosts besides the hub (2)")
    up.add_argument("--hold", action="store_true", help="stay in the foreground and take them down at Ctrl-C")
    commands.add_parser("down", help="end the run and remove all of it")
    commands.add_parser("sweep", help="remove what killed runs left behind")
    commands.add_parser("status", help="the runs, their hosts and their state")
    for name, about in (
        ("exec", "run a command in a host: exec HOST COMMAND…"),
        ("cut", "cut a host off, both ways or one"),
        ("heal", "end a host's cuts"),
        ("flap", "take a host's link down and up again and again"),
        ("kill", "take a host's power"),
        ("start", "give a host its power back and wait for it"),
        ("reboot", "reboot a host and wait for it"),
        ("journal", "print a host's journal: journal HOST [UNIT]"),
    ):
        command = commands.add_parser(name, help=about)
        command.add_argument("host")
        if name == "exec":
            command.add_argument("argv", nargs=argparse.REMAINDER)
        if name == "cut":
            command.add_argument("--direction", type=Direction, choices=list(Direction), default=Direction.BOTH)
        if name == "flap":
            command.add_argument("--times", type=int, default=5)
            command.add_argument("--down-s", type=float, default=0.2)
            command.add_argument("--up-s", type=float, default=0.5)
        if name == "journal":
            command.add_argument("unit", nargs="?")
    return top


async def up(hosts: int, *, hold: bool) -> int:
    if (line := await obstacle()) is not None:
        show(line)
        return 1
    fleet = await Fleet.up(hosts, detached=not hold)
    print(fleet.run.id, flush=True)
    for host in fleet.hosts.values():
        show(f"{host.name:8} {host.address}")
    if hold:
        try:
            await asyncio.Event().wait()
        finally:
            await fleet.down()
    return 0


async def status(run_id: str | None) -> int:
    for run in (run for run in known_runs() if run_id in (None, run.id)):
        if run.abandoned():
            print(f"{run.id}  its owner is dead; the next run removes it")
            continue
        try:
            for host in Fleet.attach(run).hosts.values():
                state = (await host.exec("systemctl", "is-system-running")).out.strip() if host.running() else "off"
                cuts = await host.router.cuts(host.interface)
                cut = f"  cut off: {', '.join(cuts)}" if cuts else ""
                print(f"{run.id}  {host.name:12} {host.address:15} {state}{cut}")
        except (FileNotFoundError, HostDownError, CommandError):
            print(f"{run.id}  is just being booted or taken down")
    return 0


def chosen(run_id: str | None) -> Run:
    """The run that is meant. Raises SystemExit when that is not clear."""
    runs = [run for run in known_runs() if run_id in (None, run.id)]
    if len(runs) != 1:
        raise SystemExit(f"which run? {'there is none' if not runs else ' '.join(run.id for run in runs)}")
    return runs[0]


async def at_host(args: argparse.Namespace) -> int:
    fleet = Fleet.attach(chosen(args.run))
    if args.host not in fleet.hosts:
        raise SystemExit(f"no host {args.host!r}; there are {' '.join(fleet.hosts)}")
    host = fleet[args.host]
    match args.command:
        case "exec":
            done = await host.exec(*args.argv, timeout_s=3600)
            sys.stdout.write(done.out)
            sys.stderr.write(done.err)
            return done.code if done.code >= 0 else 128 - done.code
        case "journal":
            print(await host.journal(args.unit, lines=1000))
        case "cut":
            await host.cut(args.direction)
        case "flap":
            await host.flap(args.times, down_s=args.down_s, up_s=args.up_s)
        case "kill":
            await (host.kill() if host.machine.disk_mib is None else host.lose_power())
        case "start" if not host.running():
            host.start(outlives_us=True)
            await host.wait_up()
        case "heal":
            await host.heal()
        case "reboot":
            await host.reboot()
    return 0


async def main() -> int:
    args = parser().parse_args()
    match args.command:
        case "up":
            return await up(args.hosts, hold=args.hold)
        case "down":
            await Fleet.attach(chosen(args.run)).down()
        case "sweep":
            for run in await sweep():
                print(run.id)
        case "status":
            return await status(args.run)
        case _:
            return await at_host(args)
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        try:
            sys.exit(asyncio.run(main()))
        except (CommandError, HostDownError, TimeoutError) as error:
            sys.exit(f"bed: {error}")
