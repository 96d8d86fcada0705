"""Ports that are shut, taken, deaf or used up, while hosts reach each other."""

from tests.bed.faults.acts import (
    ends,
    hogs,
    in_order,
    lifts,
    on_host,
    on_main_process,
    restarts,
    restarts_shop,
    spawns,
    tries,
    writes,
)
from tests.bed.faults.fault import Act, Fault, Mend
from tests.bed.faults.symptoms import fails, no_page

from guardian_agent.model import Layer

# What a client of PostgreSQL says first: protocol 3.0, user postgres. Let in, it is answered with an R.
STARTUP = b"\0\0\0\x17\0\3\0\0user\0postgres\0\0"
AS_THE_SHOP = ("setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups")  # root may not limit others here
PORTS = "net.ipv4.ip_local_port_range"


def firewall(chain: str, rule: str) -> Act:
    """A table that is nobody's, with one rule in it."""
    hook = f"{{ type filter hook {chain} priority 0; }}"
    return on_host(
        "nft", f"add table inet stray; add chain inet stray {chain} {hook}; add rule inet stray {chain} {rule}"
    )


KEEPER = "keeper.service"
KEEPER_UNIT = """[Service]
RuntimeDirectory=keeper
WorkingDirectory=/run/keeper
ExecStart=/usr/bin/python3 -m http.server 8000
"""

NO_FIREWALL = on_host("nft", "delete", "table", "inet", "stray", fine=True)

FAULTS = (
    Fault(
        id="firewall_drop",
        layer=Layer.TRANSPORT,
        breaks="a foreign rule on the host drops what comes to port 80",
        issue_type="firewall_block",
        mend=Mend.HOST,
        inject=firewall("input", "tcp dport 80 drop"),
        symptom=no_page(),
        revert=NO_FIREWALL,
    ),
    Fault(
        id="firewall_reject",
        layer=Layer.TRANSPORT,
        breaks="a foreign rule on the host answers what comes to port 80 with a reset",
        issue_type="firewall_block",
        mend=Mend.HOST,
        inject=firewall("input", "tcp dport 80 reject with tcp reset"),
        symptom=no_page(),
        revert=NO_FIREWALL,
        in_make_test=True,
    ),
    Fault(
        id="firewall_drops_outbound",
        layer=Layer.TRANSPORT,
        breaks="a foreign rule on the host drops what its services ask of another host",
        issue_type="firewall_block",
        mend=Mend.HOST,
        inject=firewall("output", "ip daddr {hub} tcp dport 80 drop"),
        symptom=no_page("http://{host}:8000/upstream"),
        revert=NO_FIREWALL,
    ),
    Fault(
        id="ephemeral_ports_exhausted",
        layer=Layer.TRANSPORT,
        breaks="the host may open connections from 20 ports only, and a program holds all of them to the hub",
        issue_type="port_exhaustion",
        mend=Mend.HOST,
        inject=in_order(
            on_host("sysctl", "-qw", f"{PORTS}=40000 40019"),
            hogs("ports", "{hub}", 80, 30, on="host", again=True),
        ),
        symptom=no_page("http://{host}:8000/upstream"),
        revert=in_order(ends("ports"), on_host("sysctl", "-qw", f"{PORTS}=32768 60999")),
    ),
    Fault(
        id="stops_accepting",
        layer=Layer.TRANSPORT,
        breaks="the shop listens, but takes no connection from its queue",
        issue_type="service_hung",
        mend=Mend.HOST,
        inject=on_host("systemctl", "kill", "--signal=USR1", "shop"),
        symptom=no_page("http://{host}:8000/"),
        revert=restarts_shop(),
    ),
    Fault(
        id="stops_listening",
        layer=Layer.TRANSPORT,
        breaks="the shop runs, but has closed its port",
        issue_type="port_not_listening",
        mend=Mend.HOST,
        inject=on_host("systemctl", "kill", "--signal=USR2", "shop"),
        symptom=no_page("http://{host}:8000/"),
        revert=restarts_shop(),
    ),
    Fault(
        id="port_stolen",
        layer=Layer.TRANSPORT,
        breaks="a foreign program took port 80 while nginx was stopped, so that nginx cannot start again",
        issue_type="port_conflict",
        mend=Mend.HOST,
        inject=in_order(
            on_host("systemctl", "stop", "nginx"),
            spawns("thief", "python3", "-m", "http.server", "80"),
            tries("curl", "-sI", "http://127.0.0.1/"),
            on_host("systemctl", "start", "nginx", fine=True),
        ),
        symptom=no_page(says="nginx"),
        revert=in_order(ends("thief"), restarts("nginx")),
        in_make_test=True,
    ),
    Fault(
        id="port_kept",
        layer=Layer.TRANSPORT,
        breaks="a service that may not be touched took port 8000 while the shop was stopped",
        issue_type="port_conflict",
        mend=Mend.HOST,
        inject=in_order(
            writes(f"/run/systemd/system/{KEEPER}", KEEPER_UNIT),
            on_host("systemctl", "daemon-reload"),
            on_host("systemctl", "stop", "shop"),
            on_host("systemctl", "start", KEEPER),
            tries("curl", "-sI", "http://127.0.0.1:8000/"),
            on_host("systemctl", "start", "shop", fine=True),
        ),
        symptom=no_page("http://{host}:8000/", says="shop"),
        revert=in_order(
            on_host("systemctl", "stop", KEEPER, fine=True),
            on_host("rm", "-f", f"/run/systemd/system/{KEEPER}"),
            on_host("nft", "delete", "table", "inet", "guardian_rebind_shop", fine=True),
            lifts("shop.service"),
            restarts_shop(),
        ),
    ),
    Fault(
        id="descriptors_exhausted",
        layer=Layer.TRANSPORT,
        breaks="the shop may open 24 files, and idle connections hold them all: it cannot accept",
        issue_type="service_hung",
        mend=Mend.HOST,
        inject=in_order(
            on_main_process("shop", *AS_THE_SHOP, "prlimit", "--nofile=24", "--pid", "{pid}"),
            hogs("idlers", "{host}", 8000, 40),
        ),
        symptom=no_page("http://{host}:8000/"),
        revert=in_order(ends("idlers"), restarts_shop()),
    ),
    Fault(
        id="redis_clients_exhausted",
        layer=Layer.TRANSPORT,
        breaks="redis may have 8 clients, and idle ones hold all those places",
        issue_type="check_failed",
        mend=Mend.HOST,
        inject=in_order(
            on_host("redis-cli", "config", "set", "maxclients", "8"),
            hogs("clients", "{host}", 6379, 8, hello=b"PING\r\n", welcome=b"+PONG"),
        ),
        symptom=fails("timeout", "1", "redis-cli", "-h", "{host}", "ping", says="PONG"),
        revert=in_order(ends("clients"), restarts("redis-server")),
    ),
    Fault(
        id="postgresql_connections_exhausted",
        layer=Layer.TRANSPORT,
        breaks="a client that leaks connections holds all those that PostgreSQL has",
        issue_type="check_failed",
        mend=Mend.HOST,
        inject=hogs("clients", "{host}", 5432, 20, hello=STARTUP, welcome=b"R"),
        symptom=fails("psql", "-h", "{host}", "-U", "postgres", "-qtAc", "select 1", says="1"),
        revert=in_order(
            ends("clients"),
            on_host("systemctl", "reset-failed", "postgresql@15-main", fine=True),
            on_host("systemctl", "start", "postgresql@15-main"),
        ),
    ),
)
