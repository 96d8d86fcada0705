from hypothesis import given
from hypothesis import strategies as st

from guardian_agent.detection.ownership import PRECEDENCE, could_outrank, dependencies, owner_of, rank
from guardian_agent.healing.ladders import DEFAULT_LADDERS
from guardian_agent.probes import PROBES

issues = st.sampled_from([*PRECEDENCE, "something_new"])


@given(st.dictionaries(st.text(min_size=1), issues, min_size=1))
def test_the_owner_is_one_of_those_that_look_bad_and_none_ranks_before_it(bad: dict[str, str]) -> None:
    owner = owner_of(bad)
    assert all(rank(bad[owner]) <= rank(issue) for issue in bad.values())


@given(st.lists(issues), issues, issues)
def test_what_could_not_outrank_never_changes_the_owner(types: list[str], present: str, seen: str) -> None:
    if not could_outrank(types, present) and seen in types:
        assert owner_of({"first": present, "second": seen}) == "first"


def test_a_crash_owns_what_it_makes_of_the_port_and_the_page() -> None:
    assert owner_of({"l7": "connection_refused", "l4": "port_not_listening", "unit": "service_failed"}) == "unit"
    assert owner_of({"l4": "port_not_listening", "conflict": "port_conflict", "unit": "service_failed"}) == "conflict"


def test_an_issue_type_that_nobody_ranked_comes_last() -> None:
    assert owner_of({"new": "something_new", "l7": "http_error"}) == "l7"


def test_everything_that_a_probe_reports_of_a_component_has_its_place() -> None:
    about_components = [probe for probe in PROBES if "for_component" in vars(probe)]
    reported = {issue for probe in about_components for issue in probe.issue_types}
    assert reported <= set(PRECEDENCE)
    about_the_host = {issue for probe in PROBES if "for_host" in vars(probe) for issue in probe.issue_types}
    assert set(DEFAULT_LADDERS) <= set(PRECEDENCE) | about_the_host


def test_the_deepest_dependency_comes_first_and_each_once() -> None:
    needs = {"web": ["app", "cache"], "app": ["db", "cache"], "db": ["tcp:disk:1"], "cache": ["db"]}
    assert dependencies("web", needs) == ["tcp:disk:1", "db", "cache", "app"]
    assert dependencies("tcp:disk:1", needs) == []


graphs = st.dictionaries(st.integers(0, 8), st.lists(st.integers(0, 8)), max_size=9).map(
    lambda needs: {str(a): [str(b) for b in bs if b < a] for a, bs in needs.items()}
)


@given(graphs)
def test_nothing_comes_before_what_it_rests_on(needs: dict[str, list[str]]) -> None:
    order = dependencies("8", needs)
    assert len(order) == len(set(order))
    for place, name in enumerate(order):
        assert set(needs.get(name, [])) <= set(order[:place])
