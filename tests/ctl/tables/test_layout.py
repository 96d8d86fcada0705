import io

from rich.console import Console

from guardian_ctl.tables.layout import Grid, show


def printed(grid: Grid, width: int, *, terminal: bool = True) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None, markup=False)
    show(console, grid)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def wide() -> Grid:
    grid = Grid("name", "?first", "id", "?>second")
    grid.add_row("web [red]", "x" * 20, "i" * 20, "42")
    return grid


def test_a_wide_terminal_shows_all_columns() -> None:
    heading, row = printed(wide(), 80).splitlines()
    assert heading.split() == ["name", "first", "id", "second"]
    assert row.split() == ["web", "[red]", "x" * 20, "i" * 20, "42"]


def test_a_narrow_terminal_leaves_out_the_last_spare_column_first() -> None:
    assert "second" not in printed(wide(), 55)
    assert "first" in printed(wide(), 55)
    assert "first" not in printed(wide(), 40)


def test_what_is_no_spare_column_is_folded_and_never_cut() -> None:
    text = printed(wide(), 20)
    assert text.count("i") == 21
    assert "…" not in text


def test_a_pipe_gets_no_spaces_at_the_end_of_a_line() -> None:
    grid = Grid("name", "id")
    grid.add_row("a", "b")
    grid.add_row("a", "bbbbbbbb")
    assert printed(grid, 80, terminal=False) == "name  id\na     b\na     bbbbbbbb\n"
