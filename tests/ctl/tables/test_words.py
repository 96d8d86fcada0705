from guardian_ctl.tables.words import layer_name


def test_the_host_is_no_osi_layer_and_a_number_that_is_not_known_stays_one() -> None:
    assert (layer_name(7), layer_name(8), layer_name(9)) == ("7 application", "host", "9")
