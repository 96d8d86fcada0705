"""What does root's configuration allow?"""

import asyncio
import copy
import time
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Self, cast

from guardian_agent.config import AgentConfig, PlaybookSettings
from guardian_agent.config_files import changeable_by_others, fingerprint
from guardian_agent.custom.catalogue import Catalogue
from guardian_agent.errors import ConfigError, GuardianError, ProbeError
from guardian_agent.executor.arming import MOST_S
from guardian_agent.executor.threads import Work, work_of
from guardian_agent.host import Units
from guardian_agent.host.names import free_of
from guardian_agent.model import Component, Mode, Tier
from guardian_agent.playbooks import Playbook

STALE_S = 60.0  # an alias of a unit may be made without a change of the configuration


class PolicyError(GuardianError):
    """What is allowed cannot be told, and so nothing is; the text says why."""


class Purpose(Enum):
    """What for a rule is asked."""

    DO = "do"
    LOOK = "look"  # a playbook that may not act may still be planned, and shown
    TAKE_BACK = "take back"  # what was armed before the hold file came


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
        self._purpose = Purpose.DO

    def asked_to(self, purpose: Purpose) -> Self:
        """The same policy, for a rule that is asked whether something else may be done than to act."""
        other = copy.copy(self)
        other._purpose = purpose
        return other

    @property
    def most_armed_s(self) -> float:
        """How long a change may be armed: it is to be verified within a component's `start_grace_s`, and some more."""
        return MOST_S + max((component.start_grace_s for component in self.config.components), default=0.0)

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
        """A playbook as it is configured on this host. Raises PolicyError for one that may not act here.

        One that needs an approval may not: nobody can give one yet, and the agent's word for it would be nothing. So
        what root wrote is the approval.
        """
        if playbook_id not in self._playbooks:
            raise PolicyError(f"there is no playbook {playbook_id}")
        playbook = self._playbooks[playbook_id]
        settings = self.config.playbooks.get(playbook_id, PlaybookSettings())
        if settings.enabled is False:
            raise PolicyError(f"playbooks.{playbook_id}.enabled is false")
        tier = playbook.tier if settings.tier is None else settings.tier
        if tier > Tier.AUTOMATIC and self._purpose is not Purpose.LOOK:
            raise PolicyError(
                f"{playbook_id} is of tier {int(tier)} and needs an approval, which nobody can give yet; "
                f"`tier = 1` under [playbooks.{playbook_id}] lets it act without"
            )
        return playbook

    def halted(self) -> str:
        """Why nothing at all may be changed on this host now; empty when something may. What is armed is taken back all
        the same: see the decision 0009."""
        if self._purpose is Purpose.TAKE_BACK:
            return ""
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


class _Known(NamedTuple):
    policy: Policy
    seen: object
    read_at_s: float


class Policies:
    """The policy of this moment: read again when the files have changed."""

    def __init__(self, file: Path, read: Callable[[], AgentConfig], units: Units, *, owner: int = 0) -> None:
        """`read`: the configuration at `file`, checked, and raises ConfigError; `owner`: to whom the files belong."""
        self._file = file
        self._read = read
        self._units = units
        self._owner = owner
        self._known: _Known | None = None

    async def current(self) -> Policy:
        """What is allowed now. Raises PolicyError: nothing is."""
        known = self._known
        with work_of(Work.POLICY):
            seen, config = await asyncio.to_thread(self._look, known)
        if known is not None and config is None:
            return known.policy
        policy = await self._of(cast(AgentConfig, config))
        self._known = None if policy_is_nameless(policy) else _Known(policy, seen, time.monotonic())
        return policy

    def _look(self, known: "_Known | None") -> tuple[object, AgentConfig | None]:
        """What the files are like, and what they say; None for what is known already. Raises PolicyError."""
        if unsafe := changeable_by_others(self._file, self._owner):
            raise PolicyError(unsafe)
        seen = fingerprint(self._file)
        if known is not None and known.seen == seen and time.monotonic() < known.read_at_s + STALE_S:
            return seen, None
        try:
            return seen, self._read()
        except ConfigError as error:
            raise PolicyError(f"the configuration cannot be used: {error.problems[0]}") from error

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
