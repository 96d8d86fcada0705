"""What faults are made of: things done on the broken host, on another one, or in the router between them."""

from collections.abc import Awaitable, Callable

from tests.bed.commands import CommandError, Finished
from tests.bed.faults.fault import Act, Scene

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


def ends(name: str) -> Act:
    """Ends what was spawned under that name, if it runs still."""

    async def act(scene: Scene) -> None:
        if (spawned := scene.spawned.pop(name, None)) is not None:
            spawned.stop()

    return act
