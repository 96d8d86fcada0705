"""Services that die, freeze, refuse or answer wrongly."""

from tests.bed.faults.acts import in_order, on_host
from tests.bed.faults.fault import Fault, Mend
from tests.bed.faults.symptoms import fails, no_page

from guardian_agent.model import Layer

FAULTS = (
    Fault(
        id="nginx_killed",
        layer=Layer.HOST,
        breaks="every process of nginx is killed, and systemd does not start it again",
        issue_type="service_failed",
        mend=Mend.HOST,
        inject=on_host("systemctl", "kill", "--signal=KILL", "nginx"),
        symptom=no_page(),
        revert=on_host("systemctl", "restart", "nginx"),
        in_make_test=True,
    ),
    Fault(
        id="redis_frozen",
        layer=Layer.APPLICATION,
        breaks="redis is stopped by SIGSTOP: it takes connections and answers nothing",
        issue_type="service_hung",
        mend=Mend.HOST,
        inject=on_host("systemctl", "kill", "--signal=STOP", "redis-server"),
        symptom=fails("timeout", "1", "redis-cli", "-h", "{host}", "ping", says="PONG"),
        revert=in_order(
            on_host("systemctl", "kill", "--signal=KILL", "redis-server"),
            on_host("systemctl", "restart", "redis-server"),
        ),
    ),
)
