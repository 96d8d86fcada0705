from guardian_agent.host import Address


def test_an_address_is_written_with_its_prefix() -> None:
    assert str(Address(address="2001:db8::1", prefix=64)) == "2001:db8::1/64"
