"""What the tests of probes have in common."""

import base64
from datetime import UTC, datetime
from hashlib import md5

import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.fake_network import GATEWAY, GATEWAY_MAC
from tests.agent.healing.scene import SHOP, URL, WEB, nginx, shop

from guardian_agent.host import KnownGood, Route
from guardian_agent.model import (
    Artifact,
    Certificate,
    Component,
    Endpoint,
    Health,
    Heartbeat,
    Reading,
    Releases,
    Schedule,
    Secret,
)
from guardian_agent.probes import Probe

BARE = Component(name="bare")
PORT = Endpoint("0.0.0.0", 80)
UPSTREAM = "198.19.0.1"
WELL = KnownGood(
    uplink="host0",
    mtu=1500,
    addresses=("198.18.0.2/16",),
    default_routes=(Route(interface="host0", gateway=GATEWAY),),
    routes={UPSTREAM: Route(interface="host0", gateway=GATEWAY)},
    upstream=(UPSTREAM,),
    neighbours={GATEWAY: GATEWAY_MAC},
    echoing_gateways=(GATEWAY,),
)
HEALTH = Health(http="http://127.0.0.1/")

SITE_PEM = "/etc/ssl/site.pem"
SECURE = Component(
    name="secure", certificate=Certificate(file=SITE_PEM, endpoint=Endpoint("0.0.0.0", 443), name="shop.example")
)

HEALTH_OF_ALL_KINDS = Health(http=URL, grpc=Endpoint("127.0.0.1", 50051), command=("/usr/lib/check",))
SHA256 = "101f18fa2e4d3daf9a6cc492d32e3417be94d58c1aab86d35cdf2ba19acf43bd"
FULL_UNIT: Component = msgspec.structs.replace(
    WEB,
    health=HEALTH_OF_ALL_KINDS,
    certificate=SECURE.certificate,
    heartbeat=Heartbeat(file="/run/web/beat", max_age_s=5.0),
    releases=Releases(folder="/srv/web/releases", current="/srv/web/current"),
    artifacts=(Artifact(path="/usr/sbin/nginx", dpkg=True), Artifact(path="/etc/web.conf", sha256=SHA256)),
    secrets=(Secret(path="/etc/web/token", max_age_s=86400.0),),
)
FULL_COMMAND: Component = msgspec.structs.replace(SHOP, health=HEALTH_OF_ALL_KINDS, certificate=SECURE.certificate)


def pem_until(wall_s: float) -> str:
    """As much of a certificate as has its dates in it, good from 1950 until then."""

    def der(kind: int, content: bytes) -> bytes:
        return bytes([kind, len(content)]) + content

    until = datetime.fromtimestamp(wall_s, UTC).strftime("%Y%m%d%H%M%SZ").encode()
    dates = der(0x30, der(0x17, b"500101000000Z") + der(0x18, until))
    signed = der(0xA0, der(0x02, b"\x02")) + der(0x02, b"\x01") + der(0x30, b"") + der(0x30, b"") + dates
    text = base64.b64encode(der(0x30, der(0x30, signed))).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"


def made(probe: type[Probe], component: Component = WEB, **schedule: float) -> Probe:
    """The probe as it asks about a component."""
    own = msgspec.structs.replace(probe.schedule, **schedule)
    one = probe.for_component(component, Schedule(**schedule)) or probe.for_host(own)  # type: ignore[arg-type]
    assert one is not None
    return one


def every_way(probe: type[Probe]) -> list[Probe]:
    """The probe as it asks about each kind of component that declares everything, or about the host itself."""
    asked = [probe.for_component(component, Schedule()) for component in (FULL_UNIT, FULL_COMMAND)]
    return [one for one in (*asked, probe.for_host(Schedule())) if one is not None]


async def look(probe: type[Probe], host: FakeHost, component: Component = WEB, **schedule: float) -> Reading:
    """One look of a probe that reads what it says it does, and changes nothing."""
    reading = await made(probe, component, **schedule).look(host)
    assert host.done == []
    assert reading.ok == (issue(probe, reading) == "")
    return reading


def issue(probe: type[Probe], reading: Reading) -> str:
    """The issue type of a reading; empty for a good one."""
    if reading.ok:
        assert reading.issue_type is None
        return ""
    said = reading.issue_type or probe.issue_types[0]
    assert said in probe.issue_types
    return said


async def sees(probe: type[Probe], host: FakeHost, component: Component = WEB, **schedule: float) -> str:
    """The issue type that a look sees; empty: none."""
    return issue(probe, await look(probe, host, component, **schedule))


def healthy() -> tuple[FakeHost, FakeHost]:
    """A host with a unit and one with a command, both serving."""
    with_unit, with_command = FakeHost(), FakeHost()
    nginx(with_unit)
    shop(with_command)
    for host in (with_unit, with_command):
        host.known.good = msgspec.structs.replace(WELL, upstream=(UPSTREAM, "203.0.113.9"))
        host.files.contents[SITE_PEM] = pem_until(4e9)
    install(with_unit)
    return with_unit, with_command


def install(host: FakeHost) -> None:
    """The files that FULL_UNIT declares, all as they should be."""
    now_s = host.clock.now().wall_ns / 1e9
    host.files.put("/run/web/beat", modified_wall_s=now_s)
    host.files.put("/usr/sbin/nginx", "nginx, the program")
    host.files.packaged["/usr/sbin/nginx"] = md5(b"nginx, the program", usedforsecurity=False).hexdigest()
    host.files.put("/etc/web.conf", "worker 4\n")
    host.files.put("/etc/web/token", "secret", modified_wall_s=now_s)
    host.files.put("/srv/web/releases/1")
    host.files.link("/srv/web/current", "releases/1", modified_wall_s=now_s - 7200)
