"""What the tests of probes have in common."""

import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.fake_network import GATEWAY, GATEWAY_MAC
from tests.agent.healing.scene import SHOP, WEB, nginx, shop

from guardian_agent.host import KnownGood, Route
from guardian_agent.model import Component, Endpoint, Health, Reading, Schedule
from guardian_agent.probes import Probe

FULL_UNIT: Component = msgspec.structs.replace(WEB)
FULL_COMMAND: Component = msgspec.structs.replace(SHOP)
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


def made(probe: type[Probe], component: Component = WEB, **schedule: float) -> Probe:
    """The probe as it asks about a component."""
    own = msgspec.structs.replace(probe.schedule, **schedule)
    one = probe.for_component(component, Schedule(**schedule)) or probe.for_host(own)  # type: ignore[arg-type]
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
    for host in (with_unit, with_command):
        host.known.good = WELL
    return with_unit, with_command
