"""What a table looks like in a pipe."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console, RenderableType

Printed = Callable[[RenderableType], str]


@pytest.fixture
def printed() -> Printed:
    def print_it(renderable: RenderableType) -> str:
        file = io.StringIO()
        Console(file=file, width=500, markup=False, emoji=False, highlight=False).print(renderable)
        return file.getvalue()

    return print_it
