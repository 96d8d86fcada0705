"""For every playbook a broken host that it mends, for the tests that break in on it."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import msgspec
from tests.agent.fake_firewall import table
from tests.agent.fake_host import WALL_S, FakeHost
from tests.agent.fake_machine import CALM
from tests.agent.fake_resources import FOLDER, load
from tests.agent.healing.lives import Lives, LivesCase, play
from tests.agent.healing.scene import PORT, SHOP, WEB, nginx, quick, shop
from tests.agent.playbooks import broken_paths
from tests.agent.playbooks.picture import picture

from guardian_agent.detection.looking import Look
from guardian_agent.errors import ProbeError
from guardian_agent.host import KnownGood, Outgoing
from guardian_agent.host.name_files import KeptFile
from guardian_agent.host.operations import Operation
from guardian_agent.host.operations.settings import LOCAL_PORTS
from guardian_agent.host.questions import CopyState, JudgeCopy
from guardian_agent.model import Artifact, Component, Endpoint, Heartbeat, Incident, Layer, Releases, Schedule, Secret
from guardian_agent.playbooks import Playbook
from guardian_agent.playbooks.auto_heal.performance_optimization import PerformanceOptimization
from guardian_agent.playbooks.auto_heal.quarantine_artifacts import QuarantineArtifacts
from guardian_agent.playbooks.auto_heal.resource_cleanup import ResourceCleanup
from guardian_agent.playbooks.auto_heal.restart_kernel import RestartKernel
from guardian_agent.playbooks.auto_heal.restart_service import RestartService
from guardian_agent.playbooks.auto_heal.rollback_deployment import RollbackDeployment
from guardian_agent.playbooks.auto_heal.rotate_secrets import RotateSecrets
from guardian_agent.playbooks.network.clear_port import ClearPort
from guardian_agent.playbooks.network.rebind_port import RebindPort
from guardian_agent.playbooks.network.restart_component import RestartComponent
from guardian_agent.playbooks.path_repair.bounce_link import BounceLink
from guardian_agent.playbooks.path_repair.flush_neighbour import FlushNeighbour
from guardian_agent.playbooks.path_repair.restore_firewall import RestoreFirewall
from guardian_agent.playbooks.path_repair.restore_resolver import RestoreResolver
from guardian_agent.playbooks.path_repair.restore_route import RestoreRoute
from guardian_agent.probes import Probe
from guardian_agent.probes.host_artifact import HostArtifact
from guardian_agent.probes.host_cpu import HostCpu
from guardian_agent.probes.host_disk import HostDisk
from guardian_agent.probes.host_heartbeat import HostHeartbeat
from guardian_agent.probes.host_process import HostProcess
from guardian_agent.probes.host_release import HostRelease
from guardian_agent.probes.host_secret import HostSecret
from guardian_agent.probes.host_unit import HostUnit
from guardian_agent.probes.l1_carrier import L1Carrier
from guardian_agent.probes.l2_gateway_mac import L2GatewayMac
from guardian_agent.probes.l2_mtu import L2Mtu
from guardian_agent.probes.l2_neighbour import L2Neighbour
from guardian_agent.probes.l3_addresses import L3Addresses
from guardian_agent.probes.l3_default_route import L3DefaultRoute
from guardian_agent.probes.l3_path_mtu import L3PathMtu
from guardian_agent.probes.l4_connect import L4Connect
from guardian_agent.probes.l4_listen import L4Listen
from guardian_agent.probes.l4_ports import L4Ports
from guardian_agent.probes.l7_dns import L7Dns

GRACE_S = 5.0
PAGE, COPY, CONTENT = "/srv/web/index.html", "/var/lib/good/index.html", "Welcome"
PAGED = msgspec.structs.replace(
    WEB, artifacts=(Artifact(path=PAGE, sha256=sha256(CONTENT.encode()).hexdigest(), good_copy=COPY),)
)
RELEASED = msgspec.structs.replace(
    WEB, health=None, releases=Releases(folder="/srv/web/releases", current="/srv/web/current")
)
RESOLV_CONF = "/etc/resolv.conf"


@dataclass(frozen=True)
class Remedy:
    """One fault of a host, and the playbook that mends it."""

    playbook: Playbook
    issue_type: str
    broken: Callable[[], FakeHost]
    probe: Probe | None  # the one that found it
    component: Component | None = None
    target: str = ""  # where it is not a component
    not_taken_back: tuple[str, ...] = ()  # the parts of the host that an irreversible step changes

    async def play(self, *, mends: bool = True, **story: object) -> tuple[FakeHost, Lives]:
        """The lives of an agent that mends it; without `mends` the probe sees the fault whatever is done."""
        host = self.broken()
        lives = Lives(lambda: picture(host), **story)  # type: ignore[arg-type]
        carry_out = host.do

        async def do(operation: Operation, undo: Operation | None = None) -> None:
            lives.event()
            await carry_out(operation, undo)
            lives.event()

        setattr(host, "do", do)  # noqa: B010 - an instance's own, for mypy
        bad = await self._look(host)
        assert bad.ok is False, bad
        incident = Incident(
            incident_id="i1",
            target=self.component.name if self.component else self.target,
            issue_type=self.issue_type,
            layer=Layer.HOST,
            owner_probe=self.probe.probe_id() if self.probe else "host_unit",
            first_bad_at=host.clock.now(),
            detected_at=host.clock.now(),
            evidence=bad.reading.evidence if bad.reading else {},
        )

        async def look() -> Look:
            return await self._look(host) if mends else bad

        component = quick(self.component, GRACE_S) if self.component else None
        known = (component,) if component else ()

        def move(to: Endpoint | None) -> None:
            host.known.moved = {incident.target: to} if to else {}

        await play(host, lives, self.playbook, lambda: LivesCase(incident, component, look, bad, move), known)
        return host, lives

    async def _look(self, host: FakeHost) -> Look:
        assert self.probe is not None
        try:
            return Look(at=host.clock.now(), reading=await self.probe.look(host))
        except ProbeError as error:
            return Look(at=host.clock.now(), unknown=str(error))


def crashed() -> FakeHost:
    host = FakeHost()
    nginx(host).crash()
    return host


def killed() -> FakeHost:
    host = FakeHost()
    shop(host).crash()
    return host


def defaced() -> FakeHost:
    host = FakeHost()
    nginx(host)
    host.files.put(COPY, CONTENT)
    host.files.put(PAGE, "We were here")
    host.answers[JudgeCopy] = CopyState()
    return host


def badly_released() -> FakeHost:
    host = crashed()
    for number in (1, 2):
        path = f"/srv/web/releases/{number}"
        host.files.put(path)
        host.files.states[path] = msgspec.structs.replace(host.files.states[path], kind="folder")
    host.files.link("/srv/web/current", "releases/2", modified_wall_s=WALL_S + 990.0)
    host.known.good = KnownGood(releases={"web": "releases/1"})
    return host


def without_name_servers() -> FakeHost:
    host = FakeHost()
    host.files.put(RESOLV_CONF, "<html>")
    good = KeptFile(content=b"nameserver 198.18.0.1\n")
    host.known.good = KnownGood(name_servers=("198.18.0.1",), name_files={RESOLV_CONF: good})
    return host


def full(*, inodes: bool = False) -> FakeHost:
    host = FakeHost()
    host.disk.mount(left_bytes=900 if inodes else 0, left_inodes=0 if inodes else 50)
    host.disk.add("web.log.1", 150, age=3)
    host.disk.add("web.log.2.gz", 100, age=9)
    for number in range(20):
        host.disk.add(f"{number}.tmp", 10, age=20 + number)
    return host


def hogged() -> FakeHost:
    host = FakeHost()
    nginx(host)
    host.unit("batch.service")
    host.kernel.pressures["cpu"] = msgspec.structs.replace(CALM, some_avg10=97.0, some_avg60=90.0)
    host.kernel.loads = [
        load("nginx.service", 0.1, cpu_waited_percent=5.0),
        load("batch.service", 1.8, cpu_waited_percent=97.0),
    ]
    return host


def out_of_ports() -> FakeHost:
    host = FakeHost()
    host.kernel.settings[LOCAL_PORTS] = "40000\t40009"
    host.sockets.most_outgoing = Outgoing(ports=10, to=PORT)
    return host


CLEANUP = ResourceCleanup(allow=(FOLDER,), target_free_ratio=0.2)

BEATS = msgspec.structs.replace(WEB, heartbeat=Heartbeat(file="/run/web/beat", max_age_s=60.0))
TOKEN = Secret(
    path="/etc/web/token", max_age_s=3600.0, renew=("/bin/new",), check=("/bin/try",), reload="nginx.service"
)
SECRETIVE = msgspec.structs.replace(WEB, secrets=(TOKEN,))


def mute() -> FakeHost:
    """It beats when it is started, and hangs since."""
    host = FakeHost()
    unit = nginx(host)
    unit.freeze()
    come_up = unit.come_up

    def beat() -> None:
        come_up()
        host.files.put("/run/web/beat", modified_wall_s=host.clock.now().wall_ns / 1e9)

    setattr(unit, "come_up", beat)  # noqa: B010 - an instance's own, for mypy
    host.files.put("/run/web/beat", modified_wall_s=0.0)
    return host


def old_secret() -> FakeHost:
    host = FakeHost()
    nginx(host)
    host.files.put(TOKEN.path, "old", modified_wall_s=0.0)
    return host


def filtered() -> FakeHost:
    host = FakeHost()
    nginx(host)
    host.known.good = KnownGood(firewall={})
    host.firewall.tables = {"inet stray": table("inet stray", "tcp dport 80 drop")}
    return host


def squatted() -> FakeHost:
    host = FakeHost()
    nginx(host).go_down("failed", "exit-code")
    host.ports.squat(80, unit="keeper.service")
    return host


REMEDIES: tuple[Remedy, ...] = (
    Remedy(
        playbook=ClearPort(),
        issue_type="port_conflict",
        broken=squatted,
        probe=L4Listen.for_component(WEB, Schedule()),
        component=WEB,
        not_taken_back=("units",),
    ),
    Remedy(
        playbook=RebindPort(),
        issue_type="port_conflict",
        broken=squatted,
        probe=L4Listen.for_component(WEB, Schedule()),
        component=WEB,
        not_taken_back=("units",),
    ),
    Remedy(
        playbook=RestoreFirewall(),
        issue_type="firewall_block",
        broken=filtered,
        probe=L4Connect.for_component(WEB, Schedule()),
        component=WEB,
    ),
    Remedy(
        playbook=BounceLink(),
        issue_type="link_down",
        broken=broken_paths.link_down,
        probe=L1Carrier(),
        target="host:carrier",
    ),
    Remedy(
        playbook=BounceLink(),
        issue_type="mtu_changed",
        broken=broken_paths.mtu_changed,
        probe=L2Mtu(),
        target="host:mtu",
    ),
    Remedy(
        playbook=RestoreRoute(),
        issue_type="route_wrong",
        broken=broken_paths.wrong_next_hop,
        probe=L3DefaultRoute(),
        target="host:default_route",
    ),
    Remedy(
        playbook=RestoreRoute(),
        issue_type="address_missing",
        broken=lambda: broken_paths.with_prefix(32),
        probe=L3Addresses(),
        target="host:addresses",
    ),
    Remedy(
        playbook=RestoreRoute(),
        issue_type="path_mtu",
        broken=broken_paths.narrow_for_real,
        probe=L3PathMtu(),
        target="host:path_mtu",
    ),
    Remedy(
        playbook=FlushNeighbour(),
        issue_type="neighbour_failed",
        broken=broken_paths.pinned_wrong,
        probe=L2Neighbour(),
        target="host:neighbour",
    ),
    Remedy(
        playbook=FlushNeighbour(),
        issue_type="gateway_changed",
        broken=broken_paths.with_impostor,
        probe=L2GatewayMac(),
        target="host:gateway_mac",
    ),
    Remedy(
        playbook=RestartService(),
        issue_type="service_failed",
        broken=crashed,
        probe=HostUnit.for_component(WEB, Schedule()),
        component=WEB,
        not_taken_back=("units",),
    ),
    Remedy(
        playbook=RestartComponent(),
        issue_type="process_crashed",
        broken=killed,
        probe=HostProcess.for_component(SHOP, Schedule()),
        component=SHOP,
        not_taken_back=("processes",),
    ),
    Remedy(
        playbook=QuarantineArtifacts(),
        issue_type="artifact_corrupt",
        broken=defaced,
        probe=HostArtifact.for_component(PAGED, Schedule()),
        component=PAGED,
    ),
    Remedy(
        playbook=RollbackDeployment(),
        issue_type="deploy_regressed",
        broken=badly_released,
        probe=HostRelease.for_component(RELEASED, Schedule()),
        component=RELEASED,
        not_taken_back=("units",),
    ),
    Remedy(
        playbook=RestoreResolver(),
        issue_type="dns_failure",
        broken=without_name_servers,
        probe=L7Dns(),
        target="host:dns",
    ),
    Remedy(
        playbook=CLEANUP,
        issue_type="disk_full",
        broken=full,
        probe=HostDisk(),
        target="host:disk",
        not_taken_back=("disk", "files"),
    ),
    Remedy(
        playbook=CLEANUP,
        issue_type="inode_exhausted",
        broken=lambda: full(inodes=True),
        probe=HostDisk(),
        target="host:disk",
        not_taken_back=("disk", "files"),
    ),
    Remedy(
        playbook=PerformanceOptimization(),
        issue_type="cpu_pressure",
        broken=hogged,
        probe=HostCpu(),
        target="host:cpu",
    ),
    Remedy(
        playbook=PerformanceOptimization(),
        issue_type="port_exhaustion",
        broken=out_of_ports,
        probe=L4Ports(),
        target="host:ports",
    ),
    Remedy(
        playbook=RestartKernel(),
        issue_type="heartbeat_lost",
        broken=mute,
        probe=HostHeartbeat.for_component(BEATS, Schedule()),
        component=BEATS,
        not_taken_back=("units", "files"),
    ),
    Remedy(
        playbook=RotateSecrets(),
        issue_type="secret_expiring",
        broken=old_secret,
        probe=HostSecret.for_component(SECRETIVE, Schedule()),
        component=SECRETIVE,
        not_taken_back=("secrets", "reloaded"),
    ),
)
