"""What root's configuration allows, for the tests of rules."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guardian_agent.config import AgentConfig, PlaybookSettings
from guardian_agent.executor.policy import Policy
from guardian_agent.model import Mode


def policy_with(
    playbooks: Mapping[str, Mapping[str, Any]],
    *,
    enabled: bool = True,
    units: frozenset[str] = frozenset(),
    protected: frozenset[str] = frozenset({"init.scope"}),
    state_dir: Path = Path("/nowhere/state"),
) -> Policy:
    """A policy in heal mode; `playbooks`: their own keys, by id."""
    config = AgentConfig(
        agent_id="h1",
        state_dir=state_dir,
        socket=Path("/nowhere/agent.sock"),
        hold_file=Path("/nowhere/hold"),
        mode=Mode.HEAL,
        labels={},
        protected=tuple(protected),
        actions_per_hour=6,
        host_probes=True,
        page_command=None,
        aggregator=None,
        components=(),
        probes={},
        playbooks={name: PlaybookSettings(enabled=enabled, own=dict(own)) for name, own in playbooks.items()},
        ladders={},
    )
    return Policy(config, units=units, protected=protected)
