import pytest

from guardian_agent.host.resolver import is_address, servers_in


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("nameserver 10.0.0.1\nnameserver fe80::1%eth0\noptions rotate\n", ("10.0.0.1", "fe80::1%eth0")),
        ("# nameserver 10.0.0.1\n<html>nameserver</html>\nnameserver portal\nnameserver\n", ()),
    ],
)
def test_only_addresses_are_name_servers(text: str, servers: tuple[str, ...]) -> None:
    assert servers_in(text) == servers


@pytest.mark.parametrize(("text", "told"), [("10.0.0.1", True), ("::1", True), ("fe80::1%eth0", True), ("db", False)])
def test_an_address_is_told_from_a_name(text: str, told: bool) -> None:
    assert is_address(text) is told
