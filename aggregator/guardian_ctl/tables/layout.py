"""How all tables look, on a terminal and in a pipe."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 10_000  # nothing is cut or folded where there is no screen

STYLES = {"good": "green", "bad": "bold red", "warning": "yellow", "quiet": "bright_black"}


def make_console(*, stderr: bool = False) -> Console:
    """Where tables go. What hosts told is never read as markup, and a pipe gets neither colours nor line breaks."""
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(
        stderr=stderr,
        width=None if terminal else PIPE_WIDTH,
        force_terminal=terminal,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=False,
    )


def show(console: Console, renderable: RenderableType) -> None:
    """Prints it; in a pipe, without the spaces that fill up a table's last column."""
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as capture:
        console.print(renderable)
    console.file.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


class Grid:
    """Rows under headings. In a heading, `>` sets a column of numbers to the right, and `?` before that marks one that
    is left out, the last first, where the terminal is too narrow for all."""

    def __init__(self, *headings: str) -> None:
        self._headings = headings
        self._rows: list[tuple[RenderableType, ...]] = []

    def add_row(self, *cells: RenderableType) -> None:
        self._rows.append(cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = list(range(len(self._headings)))
        spare = [column for column in columns if self._headings[column].startswith("?")]
        while self._width(console, columns) > options.max_width and spare:
            columns.remove(spare.pop())
        yield self._table(columns)

    def _width(self, console: Console, columns: list[int]) -> int:
        return Measurement.get(console, console.options.update(width=PIPE_WIDTH), self._table(columns)).maximum

    def _table(self, columns: list[int]) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold underline")
        for column in columns:
            heading = self._headings[column].lstrip("?")
            right = heading.startswith(">")
            table.add_column(heading.lstrip(">"), justify="right" if right else "left", overflow="fold", no_wrap=right)
        for row in self._rows:
            table.add_row(*(row[column] for column in columns))
        return table


def facts(rows: Iterable[tuple[str, RenderableType]]) -> Table:
    """Names and what is to be said of each."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table


def more(answer: dict[str, Any]) -> Iterator[Text]:
    """How to get at what this page of a list left out, if anything."""
    if answer["next_cursor"]:
        yield Text(f"there is more: --limit, or --cursor {answer['next_cursor']}")


def toned(text: str, tone: str = "") -> Text:
    """A text in the colour of what it means; the words say it as well."""
    return Text(text, style=STYLES.get(tone, ""))
