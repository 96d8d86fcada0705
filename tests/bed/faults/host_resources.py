"""Disk, processor, processes and time that a service no longer gets."""

from tests.bed.faults.acts import in_order, kills, lifts, on_host, restarts
from tests.bed.faults.fault import Fault, Mend
from tests.bed.faults.symptoms import clock_off, fails, no_page

from guardian_agent.model import Layer

SHOP = "shop.service"
DATA = "/srv/shop/data"
NO_ORDERS = no_page("http://{host}:8000/orders")
SESSIONS = tuple(f"{DATA}/session-{number}" for number in range(64))  # the disk has 64 inodes


FAULTS = (
    Fault(
        id="disk_full",
        layer=Layer.HOST,
        breaks="a dump left in the shop's data folder fills its disk: no order can be written",
        issue_type="disk_full",
        mend=Mend.HOST,
        inject=on_host("dd", "if=/dev/zero", f"of={DATA}/core.dump", "bs=4096", "count=4096", fine=True),
        symptom=NO_ORDERS,
        revert=on_host("rm", "-f", f"{DATA}/core.dump"),
        in_make_test=True,
    ),
    Fault(
        id="disk_full_of_a_deleted_file",
        layer=Layer.HOST,
        breaks="the shop's disk is full of its own log, deleted and still held open: df says full, du says empty",
        issue_type="disk_full",
        mend=Mend.HOST,
        inject=kills(SHOP, signal="ALRM"),
        symptom=NO_ORDERS,
        revert=restarts(SHOP),
    ),
    Fault(
        id="inodes_exhausted",
        layer=Layer.HOST,
        breaks="empty session files use up every inode of the shop's disk, which has room left",
        issue_type="inode_exhausted",
        mend=Mend.HOST,
        inject=on_host("touch", *SESSIONS, fine=True),
        symptom=NO_ORDERS,
        revert=on_host("rm", "-f", *SESSIONS),
    ),
    Fault(
        id="data_read_only",
        layer=Layer.HOST,
        breaks="the shop's disk is mounted read-only, as after an error of it",
        issue_type="disk_read_only",
        mend=Mend.ELSEWHERE,  # to mount it writable again would risk the data: whoever knows the disk has to look first
        inject=on_host("mount", "-o", "remount,ro", DATA),
        symptom=NO_ORDERS,
        revert=on_host("mount", "-o", "remount,rw", DATA),
    ),
    Fault(
        id="cpu_hog",
        layer=Layer.HOST,
        breaks="a batch job computes on every processor with the highest weight, and the shop gets a sliver of one",
        issue_type="cpu_pressure",
        mend=Mend.HOST,
        inject=on_host(
            *("systemd-run", "--quiet", "--collect", "--unit=batch", "--property=CPUWeight=10000"),
            *("stress-ng", "--quiet", "--cpu", "8"),
        ),
        symptom=no_page("http://{host}:8000/work", within_s=0.5),  # 60 ms when all is well, and 1 to 3 s now
        revert=on_host("systemctl", "stop", "batch.service", fine=True),
        shows_within_s=30.0,
        patience_s=90.0,  # a minute of it is looked at, before it is called more than a moment's work
    ),
    Fault(
        id="tasks_exhausted",
        layer=Layer.HOST,
        breaks="the shop may have no more threads than it has already: every request needs one",
        issue_type="tasks_exhausted",
        mend=Mend.HOST,
        inject=on_host("systemctl", "set-property", "--runtime", SHOP, "TasksMax=2"),
        symptom=no_page("http://{host}:8000/"),
        revert=in_order(lifts(SHOP), restarts(SHOP)),
    ),
    Fault(
        id="heartbeat_lost",
        layer=Layer.HOST,
        breaks="the shop's background thread has ended: pages are served, and its heartbeat gets old",
        issue_type="heartbeat_lost",
        mend=Mend.HOST,
        inject=kills(SHOP, signal="HUP"),
        symptom=fails("find", "/run/shop/beat", "-newermt", "-2 seconds", on="host", says="beat"),
        revert=restarts(SHOP),
        in_make_test=True,
    ),
    Fault(
        id="service_clock_jumped",
        layer=Layer.HOST,
        breaks="the running shop's clock jumps a month ahead of everybody else's, until it is started anew",
        issue_type="clock_offset",
        mend=Mend.HOST,
        inject=kills(SHOP, signal="WINCH"),
        symptom=clock_off("http://{host}:8000/time", by_s=60.0),
        revert=restarts(SHOP),
    ),
)
