from guardian_aggregator.stats.coverage import STALE_AFTER_S, Lost, coverage, is_stale


def test_without_gaps_and_silent_hosts_it_is_complete():
    assert coverage([], 0).complete


def test_gaps_are_summed_by_kind_and_by_the_seqs_they_name():
    found = coverage(
        [
            Lost(first_seq=5, last_seq=9, counts={"transition": 4, "incident": 1}),
            Lost(first_seq=20, last_seq=20, counts={"transition": 1}),
        ],
        0,
    )
    assert (found.complete, found.gaps, found.records_lost) == (False, 2, 6)
    assert found.lost_by_kind == {"incident": 1, "transition": 5}


def test_a_silent_host_makes_it_incomplete():
    assert not coverage([], 1).complete


def test_a_host_is_stale_only_without_a_stream_and_after_its_silence():
    assert is_stale(connected=False, silent_s=STALE_AFTER_S + 1)
    assert not is_stale(connected=False, silent_s=STALE_AFTER_S)
    assert not is_stale(connected=True, silent_s=1e9)
