"""What `guardian-agent polkit-rule` prints and writes."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from guardian_agent.config import AgentConfig
from guardian_agent.config_files import changeable_by_others
from guardian_agent.console import complain
from guardian_agent.errors import ConfigError, ProbeError
from guardian_agent.host.local import LocalHost
from guardian_agent.host.names import changeable
from guardian_agent.runtime.polkit_rule import POLKIT_RULE, polkit_rule, write_rule


def write(file: Path, load: Callable[[], AgentConfig]) -> int:
    """Writes the rule, where polkit is; answers the exit code. What cannot be used leaves the rule as it is."""
    if os.geteuid() == 0 and (unsafe := changeable_by_others(file)):
        complain(f"guardian-agent: {unsafe}; the rule was left as it was")
        return 1
    if not POLKIT_RULE.parent.is_dir():
        complain("guardian-agent: polkit is not installed: the agent looks, and may change no unit; install polkitd")
        return 0
    try:
        text = rule(load())
    except ConfigError as error:  # the agent itself will say 78, which systemd does not try again
        complain(*error.problems, "the polkit rule was left as it was")
        return 0
    try:
        write_rule(text, POLKIT_RULE)
    except OSError as error:
        complain(f"guardian-agent: {POLKIT_RULE}: {error.strerror}")
        return 1
    return 0


def rule(config: AgentConfig) -> str:
    """The rule, by systemd's own names of the units; without a systemd that tells them, nothing is allowed."""
    units = [component.unit for component in config.components if component.unit]
    if config.mode != "heal" or not units:
        return polkit_rule([])

    async def names() -> list[str]:
        async with LocalHost(config.state_dir) as host:
            return await changeable(host.units, units, config.protected)

    try:
        return polkit_rule(asyncio.run(names()))
    except ProbeError as error:
        complain(f"guardian-agent: nothing is allowed, since systemd's names of the units cannot be told: {error}")
        return polkit_rule([])
