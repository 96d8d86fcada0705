"""Neighbours and frames: wrong, doubled or missing answers to ARP, and frames that are too long for the way."""

from tests.bed.faults.acts import ends, in_order, in_router, no_table_in_router, on_host, on_other, spawns
from tests.bed.faults.fault import Fault, Mend
from tests.bed.faults.symptoms import any_of, fails, no_page

from guardian_agent.model import Layer

NOBODY = "02:00:00:00:00:01"  # a MAC that no machine has
FORGET_GATEWAY = on_host("ip", "neigh", "del", "{gateway}", "dev", "host0", fine=True)

FAULTS = (
    Fault(
        id="gateway_pinned_wrong",
        layer=Layer.DATA_LINK,
        breaks="the host has a permanent neighbour entry for its gateway, with a MAC that nobody has",
        issue_type="neighbour_failed",
        mend=Mend.HOST,
        inject=on_host(
            *("ip", "neigh", "replace", "{gateway}", "lladdr", NOBODY, "dev", "host0", "nud", "permanent"),
        ),
        symptom=no_page(),
        revert=FORGET_GATEWAY,
        in_make_test=True,
    ),
    Fault(
        id="duplicate_address",
        layer=Layer.DATA_LINK,
        breaks="another host takes the host's address too, and goes on announcing it",
        issue_type="duplicate_address",
        mend=Mend.ELSEWHERE,
        inject=in_order(
            on_other("ip", "address", "add", "{host}/32", "dev", "host0"),
            spawns("announcing", "arping", "-q", "-U", "-I", "host0", "{host}", where=lambda _: "other"),
        ),
        # The shop is on the broken host only. Whose turn it is changes; that two answer stays.
        symptom=any_of(
            no_page("http://{host}:8000/"),
            fails("arping", "-q", "-D", "-c", "1", "-w", "1", "-I", "host0", "{host}", on="host"),
        ),
        revert=in_order(
            ends("announcing"),
            on_other("ip", "address", "del", "{host}/32", "dev", "host0", fine=True),
            on_host("arping", "-q", "-U", "-c", "1", "-I", "host0", "{host}"),
        ),
    ),
    Fault(
        id="gateway_impostor",
        layer=Layer.DATA_LINK,
        breaks="another host claims the gateway's address by gratuitous ARP, and forwards nothing",
        issue_type="gateway_changed",
        mend=Mend.HOST,
        inject=in_order(
            on_other("ip", "address", "add", "{gateway}/32", "dev", "host0"),
            spawns("claiming", "arping", "-q", "-U", "-I", "host0", "{gateway}", where=lambda _: "other"),
        ),
        symptom=no_page(),
        revert=in_order(
            ends("claiming"),
            on_other("ip", "address", "del", "{gateway}/32", "dev", "host0", fine=True),
            FORGET_GATEWAY,
        ),
    ),
    Fault(
        id="gateway_mute",
        layer=Layer.DATA_LINK,
        # Both ways: a host that pins the MAC it knew would still not be found by the gateway.
        breaks="no ARP passes between the host and its gateway, and each forgets the other",
        issue_type="neighbour_failed",
        mend=Mend.ELSEWHERE,
        inject=in_order(
            in_router(
                "nft",
                "table bridge fault {"
                ' chain from { type filter hook input priority 0; iifname "{outer}" ether type arp drop; };'
                " chain to { type filter hook postrouting priority 0;"
                ' oifname "{outer}" ether type arp arp saddr ip {gateway} drop; }; }',
            ),
            FORGET_GATEWAY,
            in_router("ip", "neigh", "del", "{host}", "dev", "agents", fine=True),
        ),
        symptom=no_page(),
        revert=no_table_in_router("bridge fault"),
    ),
    Fault(
        id="mtu_black_hole",
        layer=Layer.DATA_LINK,
        breaks="the way to the hub takes 1200 bytes a packet, and nobody is told: small pages work, long ones stall",
        issue_type="path_mtu",
        mend=Mend.HOST,
        # A table of its own for the host's packets: the narrow place is on its way, not on everybody's.
        inject=in_order(
            in_router(
                "nft",
                "table ip fault { chain out { type filter hook output priority 0; icmp code frag-needed drop; }; }",
            ),
            in_router("ip", "route", "add", "198.19.0.0/16", "dev", "hub", "mtu", "1200", "table", "1200"),
            in_router("ip", "rule", "add", "from", "{host}", "priority", "1200", "lookup", "1200"),
        ),
        symptom=no_page("http://{host}:8000/big"),
        revert=in_order(
            in_router("ip", "rule", "del", "priority", "1200", fine=True),
            in_router("ip", "route", "flush", "table", "1200", fine=True),
            no_table_in_router("ip fault"),
            on_host("ip", "route", "del", "{hub}", fine=True),  # what whoever mended it put there
        ),
    ),
    Fault(
        id="mtu_changed",
        layer=Layer.DATA_LINK,
        breaks="the host's interface takes 1300 bytes a packet, all others on the link 1500",
        issue_type="mtu_changed",
        mend=Mend.HOST,
        inject=on_host("ip", "link", "set", "host0", "mtu", "1300"),  # below 1280 the kernel forgets IPv6's settings
        symptom=fails("ping", "-c", "1", "-W", "1", "-M", "do", "-s", "1400", "{host}"),
        revert=on_host("ip", "link", "set", "host0", "mtu", "1500"),
    ),
)
