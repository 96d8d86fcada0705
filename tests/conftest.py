"""The order of the whole run: quick tests first, those on real hosts last, so that one closing line counts all."""

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("bed") is not None)
