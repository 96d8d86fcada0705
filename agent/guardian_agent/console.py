"""How are answers shown to people, and how does the agent log?"""

import json
import logging
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from guardian_agent.errors import UsageError
from guardian_toml import nearest

GAP = "  "
LEAST_LAST_COLUMN = 24


def choose(what: str, given: str, known: Iterable[str]) -> str:
    """What was typed, if there is one of that name. Raises UsageError with those that there are."""
    if given not in (names := sorted(known)):
        raise UsageError(
            f"no {what} {given!r}{nearest(given, names) or '; there are: ' + (', '.join(names) or 'none')}"
        )
    return given


def show(*lines: str) -> None:
    for line in lines:
        print(line)  # noqa: T201 (this is the answer)


def show_json(value: Any) -> None:
    show(json.dumps(value, indent=2))


def show_table(heading: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as they need; on a terminal the last one is cut where the line would wrap."""
    widths = [max(len(str(row[column])) for row in [heading, *rows]) for column in range(len(heading))]
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns - sum(widths[:-1]) - len(GAP) * (len(widths) - 1)
        widths[-1] = min(widths[-1], max(LEAST_LAST_COLUMN, room))
    for row in [heading, *rows]:
        cells = [_cut(str(cell), width).ljust(width) for cell, width in zip(row, widths, strict=True)]
        show(GAP.join(cells).rstrip())


def complain(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201


def log_to_stderr(level: int) -> None:
    """To journald, which keeps the time and takes the level from `<N>` (sd-daemon(3)); to a terminal, with the time."""
    under_systemd = "JOURNAL_STREAM" in os.environ
    form = "%(syslog)s%(message)s" if under_systemd else "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(level=level, stream=sys.stderr, format=form)
    priorities = {"DEBUG": "<7>", "INFO": "<6>", "WARNING": "<4>", "ERROR": "<3>", "CRITICAL": "<2>"}
    make = logging.getLogRecordFactory()

    def with_priority(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.syslog = priorities.get(record.levelname, "")
        return record

    if under_systemd:
        logging.setLogRecordFactory(with_priority)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
