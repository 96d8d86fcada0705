import msgspec
import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.probes.asking import WELL, look, sees

from guardian_agent.errors import ProbeError
from guardian_agent.host import Address, Route
from guardian_agent.probes.l3_addresses import L3Addresses


def on(*addresses: str, good: tuple[str, ...] = ("198.18.0.2/16",)) -> FakeHost:
    host = FakeHost()
    host.known.good = msgspec.structs.replace(WELL, addresses=good)
    own = host.netlink.own["host0"] = []
    for text in addresses:  # with a `~` behind what is leased
        one, _, prefix = text.rstrip("~").partition("/")
        own.append(Address(address=one, prefix=int(prefix), leased=text.endswith("~")))
    return host


@pytest.mark.parametrize(
    ("present", "good", "missing"),
    [
        (("198.18.0.2/16",), ("198.18.0.2/16",), False),
        ((), ("198.18.0.2/16",), True),
        (("198.18.0.2/32",), ("198.18.0.2/16",), True),  # the same one, and no neighbours
        (("198.18.0.2/8",), ("198.18.0.2/16",), True),
        (("198.18.0.99/16",), ("198.18.0.2/16",), False),  # a lease brought another one
        (("198.18.0.2/16",), ("198.18.0.2/16", "198.18.0.100/32"), False),  # a floating one has moved on
        (("10.0.0.2/24",), ("10.0.0.2/24", "2001:db8::2/64"), True),  # the other family is gone
        ((), ("203.0.113.5/32",), True),  # the only one it had
        (("10.7.0.2/24~",), ("10.6.0.2/24",), False),  # DHCP has moved the host
        (("10.7.0.2/24",), ("10.6.0.2/24",), True),  # somebody has
        (("10.7.0.2/24~",), ("10.6.0.2/24", "10.7.0.2/24"), True),  # that one it had before
        (("10.7.0.2/24~",), ("2001:db8::2/64",), True),  # of the other family
        (("10.0.0.2/24", "2001:db8:2::2/64~"), ("10.0.0.2/24", "2001:db8:1::2/64"), False),  # the provider's new prefix
    ],
)
async def test_a_network_that_the_host_is_no_longer_in_is_missing(
    present: tuple[str, ...], good: tuple[str, ...], missing: bool
) -> None:
    assert await sees(L3Addresses, on(*present, good=good)) == ("address_missing" if missing else "")


async def test_the_evidence_names_what_is_missing_and_what_is_there() -> None:
    reading = await look(L3Addresses, on("198.18.0.2/32"))
    assert reading.evidence == {"interface": "host0", "addresses": "198.18.0.2/32", "missing": "198.18.0.2/16"}


async def test_nothing_is_judged_before_something_is_known() -> None:
    with pytest.raises(ProbeError, match="known to be good"):
        await look(L3Addresses, FakeHost())


async def test_the_addresses_of_an_uplink_that_was_changed_for_another_are_not_missed() -> None:
    host = FakeHost()
    host.known.good = WELL
    host.netlink.links["eth1"] = msgspec.structs.replace(host.netlink.links["host0"], name="eth1")
    host.netlink.own = {"eth1": host.netlink.own["host0"]}
    assert await sees(L3Addresses, host) == "address_missing"
    host.netlink.route = Route(interface="eth1", gateway="198.18.0.1")
    with pytest.raises(ProbeError, match="default route goes by eth1 now"):
        await look(L3Addresses, host)
