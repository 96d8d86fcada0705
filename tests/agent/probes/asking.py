"""What the tests of probes have in common."""

from hashlib import md5

import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.healing.scene import SHOP, WEB, nginx, shop

from guardian_agent.model import Artifact, Component, Endpoint, Health, Heartbeat, Reading, Releases, Schedule, Secret
from guardian_agent.probes import Probe

SHA256 = "101f18fa2e4d3daf9a6cc492d32e3417be94d58c1aab86d35cdf2ba19acf43bd"
FULL_UNIT: Component = msgspec.structs.replace(
    WEB,
    heartbeat=Heartbeat(file="/run/web/beat", max_age_s=5.0),
    releases=Releases(folder="/srv/web/releases", current="/srv/web/current"),
    artifacts=(Artifact(path="/usr/sbin/nginx", dpkg=True), Artifact(path="/etc/web.conf", sha256=SHA256)),
    secrets=(Secret(path="/etc/web/token", max_age_s=86400.0),),
)
FULL_COMMAND: Component = msgspec.structs.replace(SHOP)
BARE = Component(name="bare")
PORT = Endpoint("0.0.0.0", 80)
HEALTH = Health(http="http://127.0.0.1/")


def made(probe: type[Probe], component: Component = WEB, **schedule: float) -> Probe:
    """The probe as it asks about a component, or about the host itself."""
    when = Schedule(**schedule)  # type: ignore[arg-type]
    one = probe.for_component(component, when) or probe.for_host(when)
    assert one is not None
    return one


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
