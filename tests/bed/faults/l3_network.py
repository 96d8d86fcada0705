"""Addresses, routes and rules that are gone or wrong, on the host or in the router behind it."""

from tests.bed.faults.acts import in_order, in_router, no_table_in_router, on_host
from tests.bed.faults.fault import Fault, Mend
from tests.bed.faults.symptoms import no_page

from guardian_agent.model import Layer

HUBS = "198.19.0.0/16"  # the hub's network: where the clients are
DEAD = "198.18.255.254"  # on the host's link, and nobody's address
DEFAULT_ROUTE = on_host("ip", "route", "replace", "default", "via", "{gateway}", "dev", "host0", "proto", "static")
ADDRESS = on_host("ip", "address", "replace", "{host}/16", "brd", "+", "dev", "host0")

FAULTS = (
    Fault(
        id="address_flushed",
        layer=Layer.NETWORK,
        breaks="the host's address is taken off its interface, and the routes go with it",
        issue_type="address_missing",
        mend=Mend.HOST,
        inject=on_host("ip", "address", "flush", "dev", "host0"),
        symptom=no_page(),
        revert=in_order(ADDRESS, DEFAULT_ROUTE),
    ),
    Fault(
        id="wrong_prefix",
        layer=Layer.NETWORK,
        breaks="the host's address is put on as a /32: it has no neighbours and so no gateway",
        issue_type="address_missing",
        mend=Mend.HOST,
        inject=in_order(
            on_host("ip", "address", "flush", "dev", "host0"),
            on_host("ip", "address", "add", "{host}/32", "dev", "host0"),
        ),
        symptom=no_page(),
        revert=in_order(
            ADDRESS, on_host("ip", "address", "del", "{host}/32", "dev", "host0", fine=True), DEFAULT_ROUTE
        ),
    ),
    Fault(
        id="prefix_too_wide",
        layer=Layer.NETWORK,
        breaks="the host's address is put on as a /8: it looks for the hub on its own link",
        issue_type="address_missing",
        mend=Mend.HOST,
        inject=in_order(
            on_host("ip", "address", "add", "{host}/8", "dev", "host0"),
            on_host("ip", "address", "del", "{host}/16", "dev", "host0"),
        ),
        symptom=no_page(),
        revert=in_order(ADDRESS, on_host("ip", "address", "del", "{host}/8", "dev", "host0", fine=True), DEFAULT_ROUTE),
    ),
    Fault(
        id="default_route_deleted",
        layer=Layer.NETWORK,
        breaks="the default route is deleted",
        issue_type="route_missing",
        mend=Mend.HOST,
        inject=on_host("ip", "route", "del", "default"),
        symptom=no_page(),
        revert=DEFAULT_ROUTE,
        in_make_test=True,
    ),
    Fault(
        id="blackhole_route",
        layer=Layer.NETWORK,
        breaks="a blackhole route swallows what is for the hub's network",
        issue_type="route_wrong",
        mend=Mend.HOST,
        inject=on_host("ip", "route", "add", "blackhole", HUBS),
        symptom=no_page(),
        revert=on_host("ip", "route", "del", "blackhole", HUBS, fine=True),
    ),
    Fault(
        id="wrong_next_hop",
        layer=Layer.NETWORK,
        breaks="the default route leads to another host, which forwards nothing",
        issue_type="route_wrong",
        mend=Mend.HOST,
        inject=on_host("ip", "route", "replace", "default", "via", "{other}", "dev", "host0"),
        symptom=no_page(),
        revert=DEFAULT_ROUTE,
    ),
    Fault(
        id="second_default_route",
        layer=Layer.NETWORK,
        # Halves, as VPN clients lay them: of two whole ones the kernel would avoid the dead one by itself.
        breaks="a second default route, in two halves that win over the first, leads to a gateway that is not there",
        issue_type="route_wrong",
        mend=Mend.HOST,
        inject=in_order(
            on_host("ip", "route", "add", "0.0.0.0/1", "via", DEAD, "dev", "host0"),
            on_host("ip", "route", "add", "128.0.0.0/1", "via", DEAD, "dev", "host0"),
        ),
        symptom=no_page(),
        revert=in_order(
            on_host("ip", "route", "del", "0.0.0.0/1", "via", DEAD, fine=True),
            on_host("ip", "route", "del", "128.0.0.0/1", "via", DEAD, fine=True),
        ),
    ),
    Fault(
        id="policy_rule",
        layer=Layer.NETWORK,
        breaks="a routing rule prohibits what is for the hub's network, before any route is looked at",
        issue_type="route_wrong",
        mend=Mend.HOST,
        inject=on_host("ip", "rule", "add", "to", HUBS, "priority", "100", "prohibit"),
        symptom=no_page(),
        revert=on_host("ip", "rule", "del", "to", HUBS, "priority", "100", fine=True),
    ),
    Fault(
        id="martian_source",
        layer=Layer.NETWORK,
        breaks="the hub's address is on the host's loopback too: what the hub sends is dropped as a martian",
        issue_type="route_wrong",
        mend=Mend.HOST,
        inject=on_host("ip", "address", "add", "{hub}/32", "dev", "lo"),
        symptom=no_page(),
        revert=on_host("ip", "address", "del", "{hub}/32", "dev", "lo", fine=True),
    ),
    Fault(
        id="upstream_dropped",
        layer=Layer.NETWORK,
        breaks="the router answers the host and drops what it should forward for it",
        issue_type="upstream_unreachable",
        mend=Mend.ELSEWHERE,
        inject=in_router(
            "nft",
            "table ip fault { chain forward { type filter hook forward priority 0;"
            ' oifname "hub" ip saddr {host} drop; iifname "hub" ip daddr {host} drop; }; }',
        ),
        symptom=no_page(),
        revert=no_table_in_router("ip fault"),
        in_make_test=True,
    ),
    Fault(
        id="forwarding_off",
        layer=Layer.NETWORK,
        breaks="the router no longer forwards anything for anybody",
        issue_type="upstream_unreachable",
        mend=Mend.ELSEWHERE,
        inject=in_router("sysctl", "-q", "-w", "net.ipv4.ip_forward=0"),
        symptom=no_page(),
        revert=in_router("sysctl", "-q", "-w", "net.ipv4.ip_forward=1"),
    ),
)
