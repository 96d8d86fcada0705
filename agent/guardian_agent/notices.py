"""What is allowed by the configuration, and perhaps not meant?"""

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from guardian_agent.model import Component
from guardian_toml import Document, KeyPath

LOOK_S = 2.0  # for all files together

Named = tuple[KeyPath, Callable[[], str]]  # where something is named, and what is wrong with it as it lies there now


def of_components(document: Document, found: tuple[Component, ...], protected: tuple[str, ...]) -> Iterator[str]:
    """Components of which less is done than one might think, a line each."""
    for index, component in enumerate(found):
        path: KeyPath = ("component", index)
        if component.unit in protected:
            yield document.said((*path, "unit"), f"{component.unit} is protected: it is watched and never acted on")
        asked = (component.unit, component.command, component.listen, component.health, component.heartbeat)
        files = (component.releases, component.certificate, component.artifacts, component.secrets)
        if not any((*asked, *files)):
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
