"""What is allowed by the configuration, and perhaps not meant?"""

import errno
import os
import shutil
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from guardian_agent.model import Component
from guardian_toml import Document, KeyPath, shown

LOOK_S = 2.0  # for all files together
ANYBODY_RUNS = 0o111

Named = tuple[KeyPath, Callable[[], str]]  # where something is named, and what is wrong with it as it lies there now


def of_components(
    document: Document, found: tuple[Component, ...], protected: tuple[str, ...], watched: Callable[[Component], bool]
) -> Iterator[str]:
    """Components of which less is done than one might think, a line each.

    `watched`: whether a probe that is not ours looks at it, so that it need not declare anything.
    """
    for index, component in enumerate(found):
        path: KeyPath = ("component", index)
        if component.unit in protected:
            yield document.said((*path, "unit"), f"{component.unit} is protected: it is watched and never acted on")
        asked = (component.unit, component.command, component.listen, component.health, component.heartbeat)
        files = (component.releases, component.certificate, component.artifacts, component.secrets)
        if not any((*asked, *files)) and not watched(component):
            yield document.said(path, "declares nothing that can be looked at: nothing of it is watched")


def of_files(document: Document, named: Iterable[Named], within_s: float = LOOK_S) -> list[str]:
    """Files that cannot be used as they lie there now, a line each: they may be there by the time they are needed.

    Asking about a file on a server that is gone can hang for ever, so what is not told in time is said to be unknown.
    """
    named, wrong = list(named), dict[KeyPath, str]()

    def look() -> None:
        for path, problem in named:
            wrong[path] = problem()

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(within_s)
    told = dict(wrong)
    lines = [document.said(path, text) for path, text in told.items() if text]
    if (hangs := next((path for path, _ in named if path not in told), None)) is not None:
        lines.append(document.said(hangs, f"could not be looked at within {within_s:g} s"))
    return lines


def aggregators_files(files: Mapping[str, str | None]) -> Iterator[Named]:
    """What the connection to the aggregator needs, by key. The agent heals without, so that it starts all the same."""
    for key, file in files.items():
        if file is not None:
            yield ("aggregator", key), partial(_unreadable, file)


def programs(argvs: Mapping[KeyPath, tuple[str, ...] | None], *, by_root: bool = False) -> Iterator[Named]:
    """Programs that are run, by where they are named. `by_root`: the executor runs them, and not the agent."""
    for path, argv in argvs.items():
        if argv is not None:
            yield (*path, 0), partial(_why_not_run, argv[0], by_root)


def components_programs(components: Iterable[Component]) -> Iterator[Named]:
    """The programs of each component."""
    for index, component in enumerate(components):
        path: KeyPath = ("component", index)
        yield from programs({(*path, key): getattr(component, key) for key in ("command", "drain")})
        if component.health is not None:
            yield from programs({(*path, "health", "command"): component.health.command})
        for at, secret in enumerate(component.secrets):
            named = {(*path, "secret", at, key): getattr(secret, key) for key in ("renew", "check")}
            yield from programs(named, by_root=True)


def _unreadable(file: str) -> str:
    if why := _why_unreadable(Path(file)):
        return f"{file} cannot be read: {why}; until it can, the aggregator hears nothing"
    return ""


def _why_unreadable(file: Path) -> str:
    try:
        mode = file.stat().st_mode
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISREG(mode):
        return "it is no file"
    return "" if os.access(file, os.R_OK) else os.strerror(errno.EACCES)


def _why_not_run(program: str, by_root: bool) -> str:
    if "/" not in program:
        return "" if shutil.which(program) else f"PATH has no program {shown(program)}"
    try:
        mode = Path(program).stat().st_mode
    except PermissionError as error:
        return "" if by_root else f"{program} cannot be run: {error.strerror}"
    except OSError as error:
        return f"{program} cannot be run: {error.strerror}"
    if not stat.S_ISREG(mode):
        return f"{program} cannot be run: it is no file"
    runs = mode & ANYBODY_RUNS if by_root else os.access(program, os.X_OK)
    return "" if runs else f"{program} cannot be run: it is not executable"
