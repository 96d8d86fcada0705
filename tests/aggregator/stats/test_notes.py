from guardian_aggregator.stats.coverage import coverage
from guardian_aggregator.stats.notes import Sample, notes


def told(**changed):
    fields = {
        "closed": 0,
        "alike": False,
        "open": 0,
        "decided": 0,
        "endings": 0,
        "impossible": 0,
        "unknown": 0,
        "contradictory": 0,
    }
    return notes(Sample(**fields | {"alike": False} | changed), coverage([], 0), mean=None, restricted=None)


def test_of_nothing_it_is_said_that_there_is_nothing():
    assert told() == ["no incidents"]


def test_what_is_strange_is_told_by_its_number():
    strange = told(closed=1, impossible=3, unknown=4, contradictory=5)
    assert [note.split()[0] for note in strange[-3:]] == ["3", "4", "5"]
