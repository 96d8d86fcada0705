from guardian_agent.host.clock import LocalClock


def test_all_clocks_go_forward_within_one_boot():
    clock = LocalClock()
    first, second = clock.now(), clock.now()
    assert first.boot_id == second.boot_id
    assert len(first.boot_id) == 36
    assert 0 < first.boottime_ns < second.boottime_ns
    assert second.seconds_since(first) < 1
