import pytest
from tests.agent.fake_host import FakeHost
from tests.agent.fake_network import GATEWAY, GATEWAY_MAC
from tests.agent.healing.scene import SHOP, WEB, nginx
from tests.agent.playbooks.situations import NOW, saw, situation

from guardian_agent.host import KnownGood, Listener, Neighbour, ProcessUse, Route
from guardian_agent.model import Endpoint
from guardian_agent.playbooks import picture

GOOD = KnownGood(
    learned_at=NOW,
    uplink="host0",
    addresses=("198.18.0.2/16",),
    default_routes=(Route(interface="host0", gateway=GATEWAY),),
    routes={"198.18.0.9": Route(interface="host0", gateway=GATEWAY)},
    neighbours={GATEWAY: GATEWAY_MAC},
)
ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
host0\t00000000\t010012C6\t0003\t0\t0\t100\t00000000\t0\t0\t0
host0\t000012C6\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


async def test_the_components_units_come_first_and_then_what_has_failed() -> None:
    host = FakeHost()
    nginx(host)
    host.unit("backup.service").crash()
    lines = await picture.units(situation(WEB), host)
    assert lines == [
        "nginx.service: loaded, active (running), result success, 0 automatic restarts",
        "backup.service: loaded, failed (failed), result signal, 0 automatic restarts",
    ]


async def test_a_look_is_told_with_what_it_saw() -> None:
    told = await picture.looks(situation(WEB, looks={"l7_http": saw(False, status=500), "l4_listen": saw(True)}))
    assert told == ["l7_http: bad: status 500", "l4_listen: good: "]


async def test_the_fullest_queue_is_told_first() -> None:
    host = FakeHost()
    nginx(host)
    full = Listener(endpoint=Endpoint("0.0.0.0", 9000), uid=0, inode=3, cgroup_id=None, backlog=12, backlog_limit=16)
    host.sockets.strangers[9000] = full
    lines = await picture.sockets(host)
    assert lines[0] == "tcp:0.0.0.0:9000: uid 0, 12 of at most 16 wait for accept"
    assert lines[1].startswith("tcp:0.0.0.0:80: uid 33, 0 of at most 511") and "TCP: inuse 9" in lines[-1]


async def test_a_process_is_told_without_the_secrets_in_its_words() -> None:
    host = FakeHost()
    words = ("/usr/bin/app", "--token", "abcdefgh", "--port", "80")
    host.processes.greedy = [
        ProcessUse(pid=7, name="app", argv=words, status="R", cpu_percent=98.0, resident_bytes=5_000_000),
        ProcessUse(pid=2, name="kthreadd", argv=(), status="S", cpu_percent=0.0, resident_bytes=0),
    ]
    assert await picture.processes(host) == [
        "7 app (R): 98 % of a processor, 5.0 MB: /usr/bin/app --token [redacted] --port 80",
        "2 kthreadd (S): 0 % of a processor, 0.0 MB: no words",
    ]


async def test_pressure_memory_and_disks() -> None:
    host = FakeHost()
    lines = await picture.pressure(host)
    assert (
        lines[0] == "cpu: some wait 0 % of 10 s, 0 % of 60 s; all 0 %, 0 %" and "memory: 6442 MB of 8590 MB" in lines[3]
    )
    assert await picture.disks(host) == ["/ (ext4): 6442 MB of 10737 MB available, 600000 of 655360 inodes"]


async def test_the_network_is_told_by_links_routes_neighbours_and_resolver() -> None:
    host = FakeHost()
    host.known.good = GOOD
    host.files.contents |= {
        "/proc/net/dev": "Inter-| Receive\n face |bytes\n host0: 1 2 3\n",
        "/proc/net/route": ROUTES,
        "/proc/net/arp": f"IP address HW\n{GATEWAY}  0x1  0x2  {GATEWAY_MAC}  *  host0\n",
    }
    assert await picture.network(host) == [
        "link host0: up, carrier, MTU 1500, errors 0 in 0 out, dropped 0 in 0 out, 198.18.0.2/16",
        "default route: via 198.18.0.1 dev host0",
        "route: 0.0.0.0/0 via 198.18.0.1 dev host0 metric 100",
        "route: 198.18.0.0/16 via 0.0.0.0 dev host0 metric 0",
        f"neighbour: {GATEWAY} 0x1 0x2 {GATEWAY_MAC} * host0",
        "resolver: nameserver 198.18.0.1",
    ]


async def test_what_is_not_as_when_it_was_good_is_told() -> None:
    host = FakeHost()
    host.known.good = GOOD
    host.netlink.route = None
    host.netlink.own = {}
    host.netlink.neighbours[GATEWAY] = Neighbour(address=GATEWAY, mac="02:00:00:00:00:99", state="reachable")
    changed = [line for line in await picture.network(host) if line.startswith("not as when it was good: ")]
    assert [line.partition(": ")[2] for line in changed] == [
        "default route via 198.18.0.1 dev host0 is gone",
        "address 198.18.0.2/16 is gone from host0",
        "the way to 198.18.0.9 was via 198.18.0.1 dev host0 and is none",
        f"gateway {GATEWAY} was at {GATEWAY_MAC} and is at 02:00:00:00:00:99",
    ]


@pytest.mark.parametrize(
    ("component", "units"), [(WEB, ["nginx.service"]), (SHOP, ["nginx.service"]), (None, ["nginx.service"])]
)
def test_where_the_component_is_no_unit_the_journals_of_all_matter(component: object, units: list[str]) -> None:
    assert picture.units_of(component, (WEB, SHOP)) == units  # type: ignore[arg-type]
