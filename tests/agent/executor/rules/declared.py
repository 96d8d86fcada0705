"""A component with files and releases, and what root's configuration allows then."""

from collections.abc import Mapping
from pathlib import Path

from guardian_agent.config import AgentConfig, PlaybookSettings
from guardian_agent.executor.policy import Policy
from guardian_agent.model import Artifact, Component, Mode, Releases

TOOL, COPY, SHA256 = "/usr/bin/tool", "/var/lib/good/tool", "a" * 64
FOLDER, CURRENT = "/srv/web/releases", "/srv/web/current"
WEB = Component(
    name="web",
    unit="web.service",
    releases=Releases(folder=FOLDER, current=CURRENT),
    artifacts=(
        Artifact(path=TOOL, sha256=SHA256, good_copy=COPY),
        Artifact(path="/usr/sbin/web", dpkg=True, good_copy="/var/lib/good/web"),
        Artifact(path="/etc/web.conf", sha256=SHA256),
    ),
)


def policy(*, protected: str = "sshd.service", settings: Mapping[str, PlaybookSettings] | None = None) -> Policy:
    config = AgentConfig(
        agent_id="h1",
        state_dir=Path("/nowhere"),
        socket=Path("/nowhere/socket"),
        labels={},
        protected=(),
        actions_per_hour=6,
        host_probes=True,
        page_command=None,
        aggregator=None,
        probes={},
        ladders={},
        components=(WEB,),
        mode=Mode.HEAL,
        hold_file=Path("/nowhere/hold"),
        playbooks=dict(settings or {}),
    )
    return Policy(config, units=frozenset({"web.service"}), protected=frozenset({protected}))
