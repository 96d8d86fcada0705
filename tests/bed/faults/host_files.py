"""Files that are no longer what was installed."""

from tests.bed.faults.acts import in_order, keeps, kills, on_host, restarts, restores, writes
from tests.bed.faults.fault import Fault, Mend
from tests.bed.faults.symptoms import no_page
from tests.bed.workloads.workloads import HAPROXY

from guardian_agent.model import Layer

PAGE = "/var/www/html/index.nginx-debian.html"
NGINX = "/usr/sbin/nginx"
HAPROXY_CFG = "/etc/haproxy/haproxy.cfg"

FAULTS = (
    Fault(
        id="page_defaced",
        layer=Layer.HOST,
        breaks="somebody replaced the page that nginx serves",
        issue_type="artifact_corrupt",
        mend=Mend.HOST,
        inject=in_order(keeps(PAGE), writes(PAGE, "<h1>We were here</h1>\n")),
        symptom=no_page(says="Welcome to nginx"),
        revert=restores(PAGE),
        in_make_test=True,
    ),
    Fault(
        id="binary_corrupted",
        layer=Layer.HOST,
        breaks="nginx is killed, and cannot be started: its program is damaged (`dpkg -V nginx` says so)",
        issue_type="artifact_corrupt",
        mend=Mend.HOST,
        inject=in_order(keeps(NGINX), writes(NGINX, "\x7fELF\x02\x01\x01", mode="0755"), kills("nginx")),
        symptom=no_page(),
        revert=in_order(restores(NGINX), restarts("nginx")),
    ),
    Fault(
        id="config_tampered",
        layer=Layer.HOST,
        breaks="haproxy's configuration was changed and reloaded: the shop's customers get to another host",
        issue_type="artifact_corrupt",
        mend=Mend.HOST,
        inject=in_order(
            keeps(HAPROXY_CFG),
            writes(HAPROXY_CFG, HAPROXY.replace("127.0.0.1:8000", "{other}:80")),
            on_host("systemctl", "reload", "haproxy"),
        ),
        symptom=no_page("http://{host}:8080/", says='"shop"'),
        revert=in_order(restores(HAPROXY_CFG), restarts("haproxy")),
        shows_within_s=20.0,
    ),
)
