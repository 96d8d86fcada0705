"""Sessions that are opened as ever, and do not last."""

from tests.bed.faults.acts import in_order, on_host, restarts, writes
from tests.bed.faults.fault import Act, Fault, Mend
from tests.bed.faults.symptoms import complains, fails
from tests.bed.workloads.workloads import HAPROXY, NGINX_TLS

from guardian_agent.model import Layer

IDLE_S = "0.8"  # longer than a session lives with any of these faults
HAPROXY_CFG = "/etc/haproxy/haproxy.cfg"
TLS_CONF = "/etc/nginx/conf.d/tls.conf"
GET = "GET / HTTP/1.1\r\nHost: shop\r\n\r\n"


def forgetful_firewall(verdict: str) -> Act:
    """Rules on the host that forget a session with redis after 0.3 s, and do `verdict` to what still comes for it."""
    return on_host(
        "nft",
        f"""table ip stray {{
          set young {{ type ipv4_addr . inet_service; flags dynamic,timeout; timeout 300ms; }}
          chain input {{
            type filter hook input priority 0;
            tcp dport 6379 tcp flags & (syn | ack) == syn update @young {{ ip saddr . tcp sport }}
            tcp dport 6379 ip saddr . tcp sport != @young {verdict}
          }}
        }}""",
    )


NO_FIREWALL = on_host("nft", "delete", "table", "ip", "stray", fine=True)

FAULTS = (
    Fault(
        id="sessions_dropped",
        layer=Layer.SESSION,
        breaks="a foreign rule on the host drops what comes for sessions that are older than 0.3 s",
        issue_type="session_dropped",
        mend=Mend.HOST,
        inject=forgetful_firewall("drop"),
        symptom=complains("session", "{host}", "6379", IDLE_S, "PING\r\n", "+PONG"),
        revert=NO_FIREWALL,
    ),
    Fault(
        id="sessions_reset",
        layer=Layer.SESSION,
        breaks="a foreign rule on the host resets sessions that are older than 0.3 s",
        issue_type="session_dropped",
        mend=Mend.HOST,
        inject=forgetful_firewall("reject with tcp reset"),
        symptom=complains("session", "{host}", "6379", IDLE_S, "PING\r\n", "+PONG"),
        revert=NO_FIREWALL,
        in_make_test=True,
    ),
    Fault(
        id="tls_sessions_not_resumed",
        layer=Layer.SESSION,
        breaks="nginx remembers no TLS session and gives no tickets: every connection is a full handshake",
        issue_type="session_not_resumed",
        mend=Mend.HOST,
        inject=in_order(
            writes(
                TLS_CONF,
                NGINX_TLS.replace(
                    "ssl_session_cache shared:site:1m;", "ssl_session_cache off;\n  ssl_session_tickets off;"
                ),
            ),
            on_host("systemctl", "reload", "nginx"),
        ),
        symptom=fails("openssl", "s_client", "-connect", "{host}:443", "-tls1_2", "-reconnect", says="Reused, TLSv1.2"),
        revert=in_order(writes(TLS_CONF, NGINX_TLS), restarts("nginx")),
    ),
    Fault(
        id="idle_sessions_cut",
        layer=Layer.SESSION,
        breaks="haproxy ends the session of a client that says nothing for 0.3 s",
        issue_type="session_dropped",
        mend=Mend.HOST,
        inject=in_order(
            writes(HAPROXY_CFG, HAPROXY.replace("timeout client 30s", "timeout client 300ms")),
            on_host("systemctl", "reload", "haproxy"),
        ),
        symptom=complains("session", "{host}", "8080", IDLE_S, GET, "200 OK"),
        revert=in_order(writes(HAPROXY_CFG, HAPROXY), restarts("haproxy")),
    ),
)
