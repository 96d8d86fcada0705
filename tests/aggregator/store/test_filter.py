"""A filter as SQL: only what is set narrows, and nothing of a value becomes SQL."""

from guardian_aggregator.store.filter import Columns, Filter, where

COLUMNS = Columns(time="at", component="target = :component", open="closed_at IS NULL")


def test_nothing_set_narrows_nothing():
    assert where(Filter(), COLUMNS) == ("1", {})


def test_a_window_is_from_its_beginning_to_before_its_end():
    assert where(Filter(since_ns=5, until_ns=9), COLUMNS) == (
        "1 AND at >= :since_ns AND at < :until_ns",
        {"since_ns": 5, "until_ns": 9},
    )


def test_what_a_table_has_no_column_for_does_not_narrow_it():
    assert where(Filter(layer=4, issue_type="x", playbook="y", since_ns=1), Columns(time=None)) == ("1", {})


def test_open_and_its_opposite():
    assert where(Filter(open=True), COLUMNS)[0] == "1 AND closed_at IS NULL"
    assert where(Filter(open=False), COLUMNS)[0] == "1 AND NOT (closed_at IS NULL)"


def test_every_label_must_hold_and_is_bound():
    sql, bindings = where(Filter(labels={"b": "' OR 1", "a": "x"}), COLUMNS)
    assert sql.count("agent_id IN") == 2
    assert "OR" not in sql
    assert bindings == {"key0": "a", "value0": "x", "key1": "b", "value1": "' OR 1"}
