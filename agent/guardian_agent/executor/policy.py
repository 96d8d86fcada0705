"""What does root's configuration allow?"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from guardian_agent.config import AgentConfig, PlaybookSettings
from guardian_agent.config_files import changeable_by_others, fingerprint
from guardian_agent.custom.catalogue import Catalogue
from guardian_agent.errors import ConfigError, GuardianError, ProbeError
from guardian_agent.host import Units
from guardian_agent.host.names import free_of
from guardian_agent.model import Component, Mode
from guardian_agent.playbooks import Playbook

STALE_S = 60.0  # an alias of a unit may be made without a change of the configuration


class PolicyError(GuardianError):
    """What is allowed cannot be told, and so nothing is; the text says why."""


class Policy:
    """All that a rule may ask."""

    def __init__(
        self,
        config: AgentConfig,
        *,
        units: frozenset[str] = frozenset(),
        protected: frozenset[str] = frozenset(),
        playbooks: Mapping[str, Playbook] | None = None,
        nameless: str = "",
    ) -> None:
        """`units`, `protected`: as the properties; `nameless`: why these cannot be told, empty when they can."""
        self.config = config
        self._units = units
        self._protected = protected
        self._playbooks = Catalogue().configured(config.playbooks) if playbooks is None else playbooks
        self._nameless = nameless

    @property
    def units(self) -> frozenset[str]:
        """The units that may be changed: those that the configuration names for components and for reloading after a
        new secret, as it names them and by systemd's own names; none of them protected. Raises PolicyError."""
        self._need_names()
        return self._units

    @property
    def protected(self) -> frozenset[str]:
        """The units never touched, as configured and by systemd's own names. Raises PolicyError."""
        self._need_names()
        return self._protected

    def is_free(self, component: Component) -> bool:
        """Whether a component may be touched, and what belongs to it: its unit, if it has one, is not protected under
        any name. Raises PolicyError."""
        if component.unit is None:
            self._need_names()
            return True
        return component.unit in self.units - self.protected

    def playbook(self, playbook_id: str) -> Playbook:
        """A playbook as it is configured on this host. Raises PolicyError for one that does not run here."""
        if playbook_id not in self._playbooks:
            raise PolicyError(f"there is no playbook {playbook_id}")
        if self.config.playbooks.get(playbook_id, PlaybookSettings()).enabled is False:
            raise PolicyError(f"playbooks.{playbook_id}.enabled is false")
        return self._playbooks[playbook_id]

    def halted(self) -> str:
        """Why nothing at all may be changed on this host now; empty when something may."""
        if self.config.mode is not Mode.HEAL:
            return f"the mode is {self.config.mode}"
        hold = self.config.hold_file
        try:
            hold.lstat()
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"the hold file {hold} cannot be looked for: {error.strerror}"
        return f"the hold file {hold} is there"

    def _need_names(self) -> None:
        if self._nameless:
            raise PolicyError(self._nameless)


class Policies:
    """The policy of this moment: read again when the files have changed."""

    def __init__(self, file: Path, read: Callable[[], AgentConfig], units: Units, *, owner: int = 0) -> None:
        """`read`: the configuration at `file`, checked, and raises ConfigError; `owner`: to whom the files belong."""
        self._file = file
        self._read = read
        self._units = units
        self._owner = owner
        self._policy: Policy | None = None
        self._seen: object = None
        self._read_at_s = 0.0

    async def current(self) -> Policy:
        """What is allowed now. Raises PolicyError: nothing is."""
        if unsafe := changeable_by_others(self._file, self._owner):
            raise PolicyError(unsafe)
        seen = fingerprint(self._file)
        if self._policy is not None and self._seen == seen and time.monotonic() < self._read_at_s + STALE_S:
            return self._policy
        self._policy = None
        try:
            config = self._read()
        except ConfigError as error:
            raise PolicyError(f"the configuration cannot be used: {error.problems[0]}") from error
        policy = await self._of(config)
        if not policy_is_nameless(policy):
            self._policy, self._seen, self._read_at_s = policy, seen, time.monotonic()
        return policy

    async def _of(self, config: AgentConfig) -> Policy:
        names = {component.unit for component in config.components if component.unit}
        names |= {secret.reload for component in config.components for secret in component.secrets if secret.reload}
        try:
            free, protected = await free_of(self._units, names, config.protected)
        except ProbeError as error:
            return Policy(config, nameless=f"systemd's own names of the units cannot be told: {error}")
        return Policy(config, units=frozenset({*free, *free.values()}), protected=protected)


def policy_is_nameless(policy: Policy) -> bool:
    """Whether systemd could not be asked for the units' names, and should be again."""
    try:
        return not policy.protected
    except PolicyError:
        return True
