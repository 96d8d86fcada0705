import msgspec
from tests.agent.fake_host import FakeHost
from tests.agent.probes.asking import FULL_UNIT, look, sees

from guardian_agent.model import Secret
from guardian_agent.probes.host_secret import HostSecret

DAY_S = 86400
TWO = msgspec.structs.replace(
    FULL_UNIT, secrets=(Secret(path="/etc/a", max_age_s=DAY_S), Secret(path="/etc/b", max_age_s=10 * DAY_S))
)


def aged(**days: float) -> FakeHost:
    host = FakeHost()
    now_s = host.clock.now().wall_ns / 1e9
    for name, age in days.items():
        host.files.put(f"/etc/{name}", modified_wall_s=now_s - age * DAY_S)
    return host


async def test_a_secret_expires_when_less_than_a_tenth_of_its_life_is_left() -> None:
    assert await sees(HostSecret, aged(a=0.89, b=0), TWO) == ""
    assert await sees(HostSecret, aged(a=0.91, b=0), TWO) == "secret_expiring"
    assert await sees(HostSecret, aged(a=0.1, b=9.5), TWO) == "secret_expiring"


async def test_the_evidence_names_the_one_that_has_least_of_its_life_left() -> None:
    evidence = (await look(HostSecret, aged(a=0.5, b=8.0), TWO)).evidence
    assert evidence == {"path": "/etc/b", "max_age_days": 10.0, "age_days": 8.0, "secrets": 2}


async def test_a_secret_that_is_not_there_has_to_be_made() -> None:
    assert await sees(HostSecret, aged(a=0.1), TWO) == "secret_expiring"
    assert (await look(HostSecret, aged(a=0.1), TWO)).evidence["reason"] == "missing"
