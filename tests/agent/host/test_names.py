import pytest

from guardian_agent.errors import ProbeError
from guardian_agent.host.names import changeable, own_names
from guardian_agent.host.units import LocalUnits


class Aliases:
    """systemd, as far as names go."""

    def __init__(self, **aliases: str) -> None:
        self._aliases = {f"{alias}.service": f"{own}.service" for alias, own in aliases.items()}

    async def own_name(self, unit: str) -> str:
        return self._aliases.get(unit, unit)

    async def triggers(self, unit: str) -> tuple[str, ...]:
        return {"ssh.socket": ("ssh.service",), "mail.timer": ("mail@1.service",)}.get(unit, ())


class Unreachable:
    async def own_name(self, unit: str) -> str:
        raise ProbeError("no bus")


def units(double: Aliases | Unreachable) -> LocalUnits:
    return double  # type: ignore[return-value]


async def test_each_name_gets_its_own() -> None:
    names = ["mysql.service", "nginx.service"]
    own = await own_names(units(Aliases(mysql="mariadb")), names)
    assert own == {"mysql.service": "mariadb.service", "nginx.service": "nginx.service"}


async def test_an_alias_may_be_changed_under_its_own_name() -> None:
    assert await changeable(units(Aliases(mysql="mariadb")), ["mysql.service"], []) == ["mariadb.service"]


@pytest.mark.parametrize(("name", "protected"), [("ssh", "sshd"), ("sshd", "ssh"), ("ssh", "ssh")])
async def test_what_is_protected_is_so_under_every_name(name: str, protected: str) -> None:
    systemd = units(Aliases(sshd="ssh"))
    assert await changeable(systemd, [f"{name}.service"], [f"{protected}.service"]) == []


@pytest.mark.parametrize(
    ("name", "protected"), [("ssh.socket", "sshd"), ("ssh.socket", "ssh"), ("mail.timer", "mail@1")]
)
async def test_what_starts_a_protected_unit_is_protected(name: str, protected: str) -> None:
    systemd = units(Aliases(sshd="ssh"))
    assert await changeable(systemd, [name, "cron.timer"], [f"{protected}.service"]) == ["cron.timer"]


async def test_nothing_is_asked_for_nothing() -> None:
    assert await changeable(units(Unreachable()), [], ["sshd.service"]) == []


async def test_when_systemd_cannot_be_asked_nothing_may_be_changed() -> None:
    with pytest.raises(ProbeError, match="no bus"):
        await changeable(units(Unreachable()), ["nginx.service"], [])
