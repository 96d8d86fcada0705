"""What faults are made of: things done on the broken host, on another one, or in the router between them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

from tests.bed.commands import CommandError, Finished
from tests.bed.faults.fault import Act, Scene
from tests.bed.waiting import until

HOG = Path(__file__).with_name("hog.py").read_text()

Run = Callable[[Scene, tuple[str, ...]], Awaitable[Finished]]


def on_host(*argv: str, fine: bool = False) -> Act:
    """A command on the broken host; with `fine` it may fail, as when there is nothing left to undo."""
    return _act(lambda scene, argv: scene.host.exec(*argv, timeout_s=60), argv, fine)


def on_other(*argv: str, fine: bool = False) -> Act:
    """The same on the other host of the link."""
    return _act(lambda scene, argv: scene.other.exec(*argv, timeout_s=60), argv, fine)


def in_router(*argv: str, fine: bool = False) -> Act:
    """The same in the router; `{outer}` in an argument stands for the broken host's interface there."""
    return _act(lambda scene, argv: scene.router.exec(*argv), argv, fine)


def no_table_in_router(table: str) -> Act:
    """Takes the rules of an nft table (family and name) out of the router; without it nothing happens."""
    return in_router("nft", f"add table {table}; delete table {table}")


def _act(run: Run, argv: tuple[str, ...], fine: bool) -> Act:
    async def act(scene: Scene) -> None:
        done = await run(scene, tuple(filled_in(scene, word) for word in argv))
        if not fine:
            done.check()

    return act


def filled_in(scene: Scene, word: str) -> str:
    known = {
        "{outer}": scene.host.interface,
        "{host}": scene.host.address,
        "{other}": scene.other.address,
        "{hub}": scene.hub.address,
        "{gateway}": scene.host.network.gateway,
    }
    for name, value in known.items():
        word = word.replace(name, value)
    return word


def in_order(*acts: Act) -> Act:
    """One after the other; all of them are tried, and the first failure is raised at the end."""

    async def act(scene: Scene) -> None:
        failures = []
        for each in acts:
            try:
                await each(scene)
            except CommandError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    return act


def writes(path: str, content: str, *, mode: str = "0644", owner: str = "root") -> Act:
    """A file on the broken host, in the place of what was there."""

    async def act(scene: Scene) -> None:
        await scene.host.write_file(path, filled_in(scene, content), mode=mode, owner=owner)

    return act


KEPT = "/var/lib/bed-kept"  # on the broken host: the files that faults replaced, as they were


def keeps(path: str) -> Act:
    """Keeps a file of the broken host as it is now, for `restores`."""
    return in_order(on_host("mkdir", "-p", KEPT), on_host("cp", "--archive", "--parents", path, KEPT))


def restores(path: str) -> Act:
    """Puts back what `keeps` kept, also where the file is in use."""
    return on_host("cp", "--archive", "--remove-destination", f"{KEPT}{path}", path)


def kills(unit: str, *, signal: str = "KILL") -> Act:
    """A signal to every process of a unit; one that has none is fine."""
    return on_host("systemctl", "kill", f"--signal={signal}", unit, fine=True)


def restarts(*units: str) -> Act:
    """Restarts them however often that was done before."""
    return in_order(on_host("systemctl", "reset-failed", *units, fine=True), on_host("systemctl", "restart", *units))


def drops_in(unit: str, settings: str) -> Act:
    """Settings over those of a unit, until the next boot; what asks for a restart is in force after one."""
    return in_order(writes(f"/run/systemd/system/{unit}.d/fault.conf", settings), on_host("systemctl", "daemon-reload"))


def lifts(unit: str) -> Act:
    """Takes away what `drops_in` or `systemctl set-property --runtime` said of a unit."""
    folders = (f"/run/systemd/system/{unit}.d", f"/run/systemd/system.control/{unit}.d")
    return in_order(on_host("rm", "-rf", *folders), on_host("systemctl", "daemon-reload"))


def dies_for_good(unit: str) -> Act:
    """Kills a unit that systemd would start again, and tells systemd not to."""
    return in_order(drops_in(unit, "[Service]\nRestart=no\n"), kills(unit))


def killed_until_refused(unit: str) -> Act:
    """Kills a unit each time that systemd has started it again, until systemd no longer does."""

    async def act(scene: Scene) -> None:
        async def refused() -> bool:
            await kills(unit)(scene)
            return (await scene.host.exec("systemctl", "is-failed", "--quiet", unit)).ok

        await until(refused, f"{unit} is not started again", within_s=30.0)

    return act


def spawns(name: str, *argv: str, where: Callable[[Scene], str] = lambda _: "host") -> Act:
    """A program that goes on running, on the broken host or where `where` says (host, other, hub, router)."""

    async def act(scene: Scene) -> None:
        spawn = {
            "host": scene.host.spawn,
            "other": scene.other.spawn,
            "hub": scene.hub.spawn,
            "router": scene.host.spawn_in_router,
        }[where(scene)]
        scene.spawned[name] = spawn(*(filled_in(scene, word) for word in argv))

    return act


def tries(*argv: str, within_s: float = 10.0) -> Act:
    """A command on the broken host, again and again until it succeeds."""

    async def act(scene: Scene) -> None:
        words = [filled_in(scene, word) for word in argv]

        async def succeeds() -> bool:
            return (await scene.host.exec(*words)).ok

        try:
            await until(succeeds, " ".join(words), within_s=within_s)
        except TimeoutError as error:
            raise CommandError(str(error)) from None

    return act


def on_main_process(unit: str, *argv: str) -> Act:
    """A command on the broken host; `{pid}` in an argument stands for the unit's main process."""

    async def act(scene: Scene) -> None:
        pid = (await scene.host.must("systemctl", "show", "--property=MainPID", "--value", unit)).strip()
        await scene.host.must(*(word.replace("{pid}", pid) for word in argv))

    return act


def restarts_shop() -> Act:
    """The same for the shop, until it serves, and haproxy in front of it too."""
    return in_order(restarts("shop"), tries("curl", "-sfo", "/dev/null", "http://127.0.0.1:8080/"))


def releases(behaviour: str) -> Act:
    """That release of the shop is the current one and answers, with whatever it has to say."""
    return in_order(
        on_host("ln", "-sfn", f"releases/{behaviour}", "/srv/shop/current"),
        restarts("shop"),
        tries("curl", "-sI", "http://127.0.0.1:8000/"),
    )


def hogs(
    name: str,
    address: str,
    port: int,
    count: int,
    *,
    on: Literal["host", "hub"] = "hub",
    hello: bytes = b"",
    welcome: bytes = b"",
    again: bool = False,
) -> Act:
    """Takes up to `count` connections and keeps them (see hog.py); done when no further one is to be had."""

    async def act(scene: Scene) -> None:
        whither = [filled_in(scene, address), str(port), str(count), *(["--again"] if again else [])]
        said = ["--hello", hello.hex(), "--welcome", welcome.hex()]
        machine = scene.hub if on == "hub" else scene.host
        hog = scene.spawned[name] = machine.spawn("python3", "-c", HOG, *whither, *said)

        async def full() -> bool:
            return "full" in hog.lines()

        await until(full, f"{name} has all it can get", within_s=20)

    return act


def ends(name: str) -> Act:
    """Ends what was spawned under that name, if it runs still."""

    async def act(scene: Scene) -> None:
        if (spawned := scene.spawned.pop(name, None)) is not None:
            spawned.stop()

    return act
