"""Who heals nginx, one at a time: Guardian, Monit, or systemd itself. nginx has Debian's own unit under each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tests.bed.guardian import Guardian, table
from tests.bed.host import Host
from tests.bed.waiting import until

UNIT = "nginx.service"
DROP_IN = f"/etc/systemd/system/{UNIT}.d/bench.conf"
# The same for every healer: else the sixth start within ten seconds would be refused.
NO_START_LIMIT = "[Unit]\nStartLimitIntervalSec=0\n"

PLAYBOOKS = ("restart_service", "restart_component")
WIDE_OPEN = {"cooldown_s": 0, "attempts_per_day": 10000}
ACTIONS_PER_HOUR = 10000


class Healer(Protocol):
    """Keeps nginx of one host alive, between `begin` and `end`."""

    @property
    def name(self) -> str: ...
    async def begin(self, host: Host) -> None:
        """Sets up and starts; nginx runs when this returns, and the healer watches it."""

    async def settled(self, host: Host) -> None:
        """Waits until the healer is done with the last fault. Raises TimeoutError."""

    async def end(self, host: Host) -> None:
        """Stops; nobody watches nginx afterwards."""


async def nginx_with(host: Host, service: str = "") -> None:
    """Starts nginx anew with these lines added to its unit's [Service]."""
    await host.write_file(DROP_IN, f"{NO_START_LIMIT}[Service]\n{service}")
    await host.must("systemctl", "daemon-reload")
    await revive(host)


async def revive(host: Host) -> None:
    """Starts nginx anew, whatever state it is in."""
    await host.exec("systemctl", "kill", "--signal=KILL", UNIT)
    await host.must("systemctl", "restart", UNIT)


async def nginx_up(host: Host) -> None:
    """Waits until systemd says that nginx is up."""

    async def up() -> bool:
        state = await host.must("systemctl", "show", "--property=ActiveState", "--value", UNIT)
        return state.strip() == "active"

    await until(up, f"{UNIT} is up", within_s=30)


@dataclass(frozen=True)
class Systemd:
    """`Restart=always` in the unit itself."""

    restart_sec: str

    @property
    def name(self) -> str:
        return f"systemd RestartSec={self.restart_sec}"

    async def begin(self, host: Host) -> None:
        await nginx_with(host, f"Restart=always\nRestartSec={self.restart_sec}\n")

    async def settled(self, host: Host) -> None:
        await nginx_up(host)

    async def end(self, host: Host) -> None:
        await nginx_with(host)


@dataclass(frozen=True)
class Monit:
    """Debian's Monit, looking each second, at the process and at HTTP.

    Its start timeout is 1 s: until that is over it does not test a connection again.
    """

    name: str
    stop_program: str

    @property
    def control_file(self) -> str:
        return f"""set daemon 1
set log syslog
set idfile /var/lib/monit/id
set statefile /var/lib/monit/state

check process nginx with pidfile /run/nginx.pid
  start program = "/usr/bin/systemctl start nginx" with timeout 1 seconds
  stop program = "{self.stop_program}"
  if failed port 80 protocol http with timeout 1 seconds then restart
"""

    async def begin(self, host: Host) -> None:
        await nginx_with(host)
        await host.write_file("/etc/monit/monitrc", self.control_file, mode="0600")
        await host.must("systemctl", "restart", "monit")
        await self.settled(host)

    async def settled(self, host: Host) -> None:
        await nginx_up(host)

    async def end(self, host: Host) -> None:
        await host.must("systemctl", "stop", "monit")


@dataclass(frozen=True)
class GuardianAgent:
    """The agent as its own service, streaming to the aggregator on the hub. `health`: the keys beside `http`.

    With `forgets`, it begins with an empty state: it has never healed anything on this host.
    """

    name: str
    guardian: Guardian
    health: Mapping[str, float]
    forgets: bool = False

    @property
    def components(self) -> str:
        health = {"http": json.dumps("http://127.0.0.1/"), **self.health}
        keys = ", ".join(f"{key} = {value}" for key, value in health.items())
        return f"""
[[component]]
name = "web"
unit = "{UNIT}"
listen = "tcp:0.0.0.0:80"
health = {{ {keys} }}
"""

    async def begin(self, host: Host) -> None:
        await nginx_with(host)
        if self.forgets:
            await host.must("systemctl", "stop", "guardian-agent.service")
            await host.must("sh", "-c", "rm -rf /var/lib/guardian-agent/*")
        brakes = "\n".join(table(f"playbooks.{playbook}", WIDE_OPEN) for playbook in PLAYBOOKS)
        agent = {"actions_per_hour": ACTIONS_PER_HOUR}
        await self.guardian.start_agent(host, components=self.components, agent=agent, extra=brakes)
        await self.settled(host)

    async def settled(self, host: Host) -> None:
        """Incident closed, every probe good, every record with the aggregator."""
        await self.guardian.all_good(host)

    async def end(self, host: Host) -> None:
        await host.must("systemctl", "disable", "--now", "--quiet", "guardian-agent.service")
