"""Cables, ports and what they lose: links down, lossy, slow, flapping, or good in one direction only."""

from tests.bed.faults.acts import ends, in_order, in_router, no_table_in_router, on_host, spawns
from tests.bed.faults.fault import Fault, Mend
from tests.bed.faults.symptoms import fails, no_page

from guardian_agent.model import Layer

LINK_UP = in_router("ip", "link", "set", "{outer}", "up")
LOSES = "numgen random mod 100 < 40 drop"
FLAPS = "while :; do ip link set {outer} down; sleep 0.4; ip link set {outer} up; sleep 0.6; done"
SLOW = ("root", "tbf", "rate", "500kbit", "burst", "5kb", "latency", "400ms")


def some_are_lost(pings: int) -> tuple[str, ...]:
    """For `fails`, whose `says` is then NONE_LOST: ten pings a second."""
    return ("ping", "-q", "-c", str(pings), "-i", "0.1", "-W", "2", "{host}")


NONE_LOST = r"\b0% packet loss"

FAULTS = (
    Fault(
        id="link_down",
        layer=Layer.PHYSICAL,
        breaks="the host's interface is set down on the host itself, and its addresses and routes go with it",
        issue_type="link_down",
        mend=Mend.HOST,
        inject=on_host("ip", "link", "set", "host0", "down"),
        symptom=no_page(),
        revert=on_host("ip", "link", "set", "host0", "up"),
        in_make_test=True,
    ),
    Fault(
        id="carrier_lost",
        layer=Layer.PHYSICAL,
        breaks="the port at the other end is set down: the host's interface is up and has no carrier",
        issue_type="link_down",
        mend=Mend.ELSEWHERE,
        inject=in_router("ip", "link", "set", "{outer}", "down"),
        symptom=no_page(),
        revert=LINK_UP,
    ),
    Fault(
        id="packet_loss",
        layer=Layer.PHYSICAL,
        breaks="of ten frames four are lost, each way",
        issue_type="packet_loss",
        mend=Mend.ELSEWHERE,
        inject=in_router(
            "nft",
            "table netdev fault {"
            f' chain from {{ type filter hook ingress device "{{outer}}" priority 0; {LOSES}; }};'
            f' chain to {{ type filter hook egress device "{{outer}}" priority 0; {LOSES}; }}; }}',
        ),
        symptom=fails(*some_are_lost(10), says=NONE_LOST),
        revert=no_table_in_router("netdev fault"),
    ),
    Fault(
        id="slow_link",
        layer=Layer.PHYSICAL,
        breaks="the link carries 500 kbit/s each way: whoever uses it waits in a queue of up to 400 ms",
        issue_type="high_latency",
        mend=Mend.ELSEWHERE,
        inject=in_order(
            in_router("tc", "qdisc", "add", "dev", "{outer}", *SLOW),
            # What comes from the host has no queue here; it takes a turn over an interface that has one.
            in_router("ip", "link", "add", "slow", "type", "ifb"),
            in_router("ip", "link", "set", "slow", "up"),
            in_router("tc", "qdisc", "add", "dev", "slow", *SLOW),
            in_router("tc", "qdisc", "add", "dev", "{outer}", "clsact"),
            in_router(
                *("tc", "filter", "add", "dev", "{outer}", "ingress", "protocol", "all", "u32", "match", "u32"),
                *("0", "0", "action", "mirred", "egress", "redirect", "dev", "slow"),
            ),
        ),
        symptom=no_page("http://{host}:8000/big"),  # 256 KiB: 4 s
        revert=in_order(
            in_router("tc", "qdisc", "del", "dev", "{outer}", "clsact", fine=True),
            in_router("tc", "qdisc", "del", "dev", "{outer}", "root", fine=True),
            in_router("ip", "link", "del", "slow", fine=True),
        ),
    ),
    Fault(
        id="link_flapping",
        layer=Layer.PHYSICAL,
        breaks="the port at the other end goes down and up again each second",
        issue_type="link_flapping",
        mend=Mend.ELSEWHERE,
        inject=spawns("flapping", "sh", "-c", FLAPS, where=lambda _: "router"),
        symptom=fails(*some_are_lost(20), says=NONE_LOST),  # two seconds: at least one time down is in them
        revert=in_order(ends("flapping"), LINK_UP),
        shows_within_s=20.0,
    ),
    Fault(
        id="one_way_link",
        layer=Layer.PHYSICAL,
        breaks="the host hears everybody and nobody hears the host, as with one fibre of two",
        issue_type="neighbour_failed",  # which is how it looks from the host: nobody answers it on the link
        mend=Mend.ELSEWHERE,
        inject=in_router(
            "nft",
            'table bridge fault { chain from { type filter hook prerouting priority -300; iifname "{outer}" drop; }; }',
        ),
        symptom=no_page(),
        revert=no_table_in_router("bridge fault"),
    ),
)
