from guardian_aggregator.store import rows
from guardian_aggregator.store.rows import Bounded


def test_rows_are_passed_on_until_they_are_too_many_characters(monkeypatch):
    monkeypatch.setattr(rows, "LARGEST_LIST", 10)
    bounded = Bounded([("x" * 6, 1)] * 5)
    assert (len(list(bounded)), bounded.full) == (2, True)


def test_all_that_fit_are_passed_on(monkeypatch):
    monkeypatch.setattr(rows, "LARGEST_LIST", 10)
    bounded = Bounded([("x" * 6, 1)] * 2)
    assert (len(list(bounded)), bounded.full) == (2, False)
