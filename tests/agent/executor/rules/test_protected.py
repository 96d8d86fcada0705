"""A component whose unit is protected, under whichever name, keeps all that belongs to it: root is asked in vain."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.agent.executor.fakes import Names, read_config

from guardian_agent.errors import ProbeError
from guardian_agent.executor.policy import Policies, Policy
from guardian_agent.executor.rules import ports as ports_rule
from guardian_agent.executor.rules import refusal
from guardian_agent.host.operations import (
    CheckSecret,
    DestroySockets,
    KillProcess,
    PutBackArtifact,
    PutBackSecret,
    QuarantineArtifact,
    ReloadUnit,
    RemoveDropIn,
    RenewSecret,
    ReplaceTables,
    ResetUnitLimit,
    RootOperation,
    SetUnitLimit,
    StartForeignUnit,
    StopForeignUnit,
    SwitchRelease,
    WriteDropIn,
)
from guardian_agent.host.questions import PortHolder, PortUse
from guardian_agent.host.redirects import DROP_IN, drop_in_text, table_key, table_text
from guardian_agent.model import Endpoint

SHA256 = "a" * 64
NEW, TRY = ("/bin/new",), ("/bin/try",)
CONFIG = """
[agent]
mode = "heal"
hold_file = "/nowhere/hold"
protected = ["postgresql.service"]
[[component]]
name = "db"
{unit}
listen = "tcp:127.0.0.1:5432"
releases = {{ folder = "/srv/db/releases", current = "/srv/db/current" }}
[[component.secret]]
path = "/etc/db/token"
key = "/etc/db/key"
max_age_s = 100
renew = ["/bin/new"]
check = ["/bin/try"]
[[component.artifact]]
path = "/usr/lib/db"
sha256 = "{sha256}"
good_copy = "/var/good/db"
[[component]]
name = "proxy"
[[component.secret]]
path = "/etc/proxy/token"
max_age_s = 100
renew = ["/bin/new"]
check = ["/bin/try"]
reload = "pg.service"
[[component.secret]]
path = "/etc/db/key"
max_age_s = 100
renew = ["/bin/new"]
check = ["/bin/try"]
"""
DB = Endpoint("127.0.0.1", 5432)
OF_THE_COMPONENT: list[RootOperation] = [
    SwitchRelease("/srv/db/releases", "/srv/db/current", ""),
    SwitchRelease("/srv/db/releases", "/srv/db/current", "releases/1"),
    QuarantineArtifact("/usr/lib/db", "/var/good/db", "x", SHA256),
    PutBackArtifact("/usr/lib/db", "x"),
    RenewSecret("/etc/db/token", NEW, "/etc/db/key"),
    CheckSecret("/etc/db/token", TRY),
    PutBackSecret("/etc/db/token"),
    RenewSecret("/etc/db/key", NEW),  # another component's too, and so is this file
    RenewSecret("/etc/proxy/token", NEW),  # read by the protected one
    PutBackSecret("/etc/proxy/token"),
    ReplaceTables({table_key("db"): table_text("db", DB, 20001)}),
    ReplaceTables({table_key("db"): ""}),
    KillProcess(4711, 9, 5432),
    DestroySockets(5432),
    StopForeignUnit("stray.service"),
]
OF_THE_UNIT: list[Callable[[str], RootOperation]] = [
    ReloadUnit,
    lambda unit: PutBackSecret("/etc/proxy/token", unit),
    lambda unit: WriteDropIn(unit, DROP_IN, drop_in_text("PORT", 20001)),
    lambda unit: RemoveDropIn(unit, DROP_IN),
    lambda unit: SetUnitLimit(unit, "CPUWeight", 10),
    lambda unit: ResetUnitLimit(unit, "CPUWeight"),
    StopForeignUnit,
    StartForeignUnit,
]


@pytest.fixture(autouse=True)
def stray(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger holds the component's port."""
    holder = PortHolder(
        pid=4711, start_ticks=9, name="nc", uid=0, addresses=("127.0.0.1",), program="/bin/nc", unit="stray.service"
    )
    monkeypatch.setattr(ports_rule, "use_of", lambda _: PortUse(holders=(holder,)))


@pytest.fixture
def allowed(tmp_path: Path) -> Callable[..., Awaitable[Policy]]:
    tmp_path.chmod(0o755)
    file = tmp_path / "agent.toml"

    def policy(unit: str = 'unit = "pg.service"', names: Names | None = None) -> Awaitable[Policy]:
        file.write_text(CONFIG.format(unit=unit, sha256=SHA256))
        file.chmod(0o644)
        systemd: Any = names or Names(pg_service="postgresql.service")
        return Policies(file, lambda: read_config(file), systemd, owner=os.getuid()).current()

    return policy


@pytest.mark.parametrize("operation", OF_THE_COMPONENT, ids=lambda one: one.describe()[:60])
async def test_an_alias_of_a_protected_unit_opens_no_way_to_what_belongs_to_it(allowed, operation):
    assert refusal(operation, await allowed())


@pytest.mark.parametrize("unit", ["pg.service", "postgresql.service"])
@pytest.mark.parametrize("made", OF_THE_UNIT)
async def test_the_unit_itself_is_not_touched_under_any_name(allowed, made, unit):
    assert refusal(made(unit), await allowed())


async def test_what_starts_a_protected_unit_is_not_touched(allowed):
    names = Names()
    names.triggered = {"db.socket": ("postgresql.service",)}
    policy = await allowed('unit = "db.socket"', names)
    assert "protected" in refusal(ReloadUnit("db.socket"), policy)
    assert "protected" in refusal(SwitchRelease("/srv/db/releases", "/srv/db/current", ""), policy)
    names.triggered = {"db.socket": ("other.service",)}
    assert refusal(ReloadUnit("db.socket"), await allowed('unit = "db.socket"  # once more', names)) == ""


@pytest.mark.parametrize("operation", OF_THE_COMPONENT, ids=lambda one: one.describe()[:60])
@pytest.mark.parametrize("unit", ['unit = "free.service"', ""])
async def test_when_systemd_cannot_tell_no_component_is_touched(allowed, unit, operation):
    names = Names()
    names.failure = ProbeError("no bus")
    assert refusal(operation, await allowed(unit, names))


async def test_a_component_that_is_free_or_has_no_unit_is_mended(allowed):
    for unit in ('unit = "free.service"', ""):
        policy = await allowed(unit, Names())
        for operation in OF_THE_COMPONENT:
            assert refusal(operation, policy) == "" or (not unit and isinstance(operation, ReplaceTables)), operation
