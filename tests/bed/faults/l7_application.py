"""Services that die, freeze, refuse or answer wrongly."""

from tests.bed.faults.acts import (
    dies_for_good,
    drops_in,
    in_order,
    killed_until_refused,
    kills,
    lifts,
    on_host,
    on_other,
    restarts,
    writes,
)
from tests.bed.faults.fault import Fault, Mend
from tests.bed.faults.symptoms import fails, no_name, no_page
from tests.bed.workloads.workloads import NGINX_TLS

from guardian_agent.model import Layer

POSTGRESQL = "postgresql@15-main.service"
SHOP = "http://{host}:8000/"
SHOP_BY_HAPROXY = "http://{host}:8080/"
NO_REDIS = fails("timeout", "1", "redis-cli", "-h", "{host}", "ping", says="PONG")
NO_POSTGRESQL = fails("timeout", "2", "psql", "-h", "{host}", "-U", "postgres", "-qtAc", "select 1")

TLS_CONF = "/etc/nginx/conf.d/tls.conf"
BROKEN_NGINX = "server { listen 81; no_such_directive on; }\n"
NEVER_GIVES_UP = "[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=3\n[Service]\nRestart=always\nRestartSec=50ms\n"
LITTLE_MEMORY = "[Service]\nMemoryMax=96M\n"

FAULTS = (
    Fault(
        id="nginx_killed",
        layer=Layer.HOST,
        breaks="every process of nginx is killed, and systemd does not start it again",
        issue_type="service_failed",
        mend=Mend.HOST,
        inject=kills("nginx"),
        symptom=no_page(),
        revert=restarts("nginx"),
        in_make_test=True,
    ),
    Fault(
        id="nginx_frozen",
        layer=Layer.APPLICATION,
        breaks="nginx is stopped by SIGSTOP: the kernel takes connections for it, and no page comes",
        issue_type="service_hung",
        mend=Mend.HOST,
        inject=kills("nginx", signal="STOP"),
        symptom=no_page(),
        revert=in_order(kills("nginx"), restarts("nginx")),
    ),
    Fault(
        id="nginx_start_refused",
        layer=Layer.HOST,
        breaks="nginx is killed, and cannot be started: somebody left a mistake in its configuration",
        issue_type="artifact_corrupt",
        mend=Mend.HOST,
        inject=in_order(writes(TLS_CONF, f"{NGINX_TLS}{BROKEN_NGINX}"), kills("nginx")),
        symptom=no_page(),
        revert=in_order(writes(TLS_CONF, NGINX_TLS), restarts("nginx")),
    ),
    Fault(
        id="redis_killed",
        layer=Layer.HOST,
        breaks="redis is killed, and systemd does not start it again",
        issue_type="service_failed",
        mend=Mend.HOST,
        inject=dies_for_good("redis-server.service"),
        symptom=NO_REDIS,
        revert=in_order(lifts("redis-server.service"), restarts("redis-server.service")),
    ),
    Fault(
        id="redis_frozen",
        layer=Layer.APPLICATION,
        breaks="redis is stopped by SIGSTOP: it takes connections and answers nothing",
        issue_type="service_hung",
        mend=Mend.HOST,
        inject=kills("redis-server", signal="STOP"),
        symptom=NO_REDIS,
        revert=in_order(kills("redis-server"), restarts("redis-server")),
    ),
    Fault(
        id="redis_read_only",
        layer=Layer.APPLICATION,
        breaks="redis was made the replica of a server that is not there: it answers, and takes no writes",
        issue_type="read_only",
        mend=Mend.HOST,
        inject=on_host("redis-cli", "-e", "replicaof", "198.18.255.254", "6379"),
        symptom=fails("timeout", "2", "redis-cli", "-h", "{host}", "set", "asked", "1", "px", "1000", says="^OK"),
        revert=on_host("redis-cli", "-e", "replicaof", "no", "one"),
    ),
    Fault(
        id="postgresql_killed",
        layer=Layer.HOST,
        breaks="every process of PostgreSQL is killed at once",
        issue_type="service_failed",
        mend=Mend.HOST,
        inject=kills(POSTGRESQL),
        symptom=NO_POSTGRESQL,
        revert=restarts(POSTGRESQL),
        shows_within_s=30.0,
    ),
    Fault(
        id="postgresql_frozen",
        layer=Layer.APPLICATION,
        breaks="PostgreSQL is stopped by SIGSTOP: a connection is made, and no query answered",
        issue_type="service_hung",
        mend=Mend.HOST,
        inject=kills(POSTGRESQL, signal="STOP"),
        symptom=NO_POSTGRESQL,
        revert=in_order(kills(POSTGRESQL), restarts(POSTGRESQL)),
        shows_within_s=30.0,
    ),
    Fault(
        id="haproxy_killed",
        layer=Layer.HOST,
        breaks="haproxy is killed, and systemd does not start it again: the shop runs, out of reach",
        issue_type="service_failed",
        mend=Mend.HOST,
        inject=dies_for_good("haproxy.service"),
        symptom=no_page(SHOP_BY_HAPROXY),
        revert=in_order(lifts("haproxy.service"), restarts("haproxy.service")),
        shows_within_s=20.0,
    ),
    Fault(
        id="dnsmasq_killed",
        layer=Layer.HOST,
        breaks="the host's name server is killed: nobody finds shop.bed",
        issue_type="service_failed",
        mend=Mend.HOST,
        inject=kills("dnsmasq"),
        symptom=no_name("shop.bed"),
        revert=restarts("dnsmasq"),
    ),
    Fault(
        id="shop_killed",
        layer=Layer.HOST,
        breaks="the shop is killed: haproxy, before it, answers 503",
        issue_type="service_failed",
        mend=Mend.HOST,
        inject=kills("shop"),
        symptom=no_page(SHOP_BY_HAPROXY),
        revert=restarts("shop"),
        shows_within_s=20.0,
    ),
    Fault(
        id="start_limit_hit",
        layer=Layer.HOST,
        breaks="the shop died so often that systemd refuses to start it: repeated too quickly",
        issue_type="service_failed",
        mend=Mend.HOST,
        inject=in_order(drops_in("shop.service", NEVER_GIVES_UP), killed_until_refused("shop.service")),
        symptom=no_page(SHOP),
        revert=in_order(lifts("shop.service"), restarts("shop.service")),
        shows_within_s=20.0,
    ),
    Fault(
        id="out_of_memory",
        layer=Layer.HOST,
        breaks="a release of the shop keeps 16 MiB of each request, until the kernel kills it at its memory limit",
        issue_type="service_failed",
        mend=Mend.HOST,
        inject=in_order(
            drops_in("shop.service", LITTLE_MEMORY),
            on_host("ln", "-sfn", "releases/leaks", "/srv/shop/current"),
            restarts("shop.service"),
            on_other(
                *("curl", "--silent", "--output", "/dev/null", "--retry", "30", "--retry-connrefused"),
                *("--retry-max-time", "10", SHOP),
            ),
            on_other(
                *("curl", "--silent", "--output", "/dev/null", "--max-time", "20", "http://{host}:8000/?[1-20]"),
                fine=True,
            ),
        ),
        symptom=no_page(SHOP),
        revert=in_order(
            on_host("ln", "-sfn", "releases/good", "/srv/shop/current"),
            lifts("shop.service"),
            restarts("shop.service"),
        ),
        shows_within_s=20.0,
    ),
)
