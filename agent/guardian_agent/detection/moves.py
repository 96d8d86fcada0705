"""Where do components listen that were moved off their own port?"""

import logging
from collections.abc import Callable, Mapping
from typing import ClassVar

import msgspec

from guardian_agent.errors import ProbeError
from guardian_agent.host import Host
from guardian_agent.host.operations.drop_ins import drop_in_path
from guardian_agent.host.redirects import DROP_IN
from guardian_agent.model import Component, Endpoint

log = logging.getLogger(__name__)


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A component listens elsewhere until the next boot, and its clients are taken there from `declared`."""

    memory_kind: ClassVar = "moved"
    declared: Endpoint
    to: Endpoint
    boot_id: str


class Moves:
    """What a plan's `replacement` says once it was carried out. Durable; the probes find it in `host.known.moved`."""

    def __init__(
        self,
        host: Host,
        components: Mapping[str, Component],
        remember: Callable[[str, Moved], None],
        forget: Callable[[str], None],
    ) -> None:
        self._host = host
        self._components = components
        self._remember = remember
        self._forget = forget

    def move(self, component: str, to: Endpoint | None) -> None:
        """From here on the component listens there; None: where it declares."""
        declared = self._components[component].listen if component in self._components else None
        if to is None or declared is None:
            self._host.known.moved.pop(component, None)
            self._forget(component)
            return
        self._host.known.moved[component] = to
        self._remember(component, Moved(declared=declared, to=to, boot_id=self._host.clock.now().boot_id))

    async def restore(self, moved: Mapping[str, Moved]) -> None:
        """Takes up what was known before the agent's restart, as far as it still holds."""
        self._host.known.moved.clear()
        for name, one in moved.items():
            if reason := await self._why_over(name, one):
                log.warning("%s is no longer taken as moved to %s: %s", name, one.to, reason)
                self._forget(name)
            else:
                self._host.known.moved[name] = one.to

    async def _why_over(self, name: str, one: Moved) -> str:
        """Why the component is where it declares again; empty when it is not."""
        component = self._components.get(name)
        if component is None or component.unit is None or component.listen != one.declared:
            return "it is configured otherwise now"
        if one.boot_id != self._host.clock.now().boot_id:
            return "the host has booted since"
        try:
            path = drop_in_path(component.unit, DROP_IN)
            gone = await self._host.files.state(path) is None
        except (ProbeError, ValueError):
            return ""
        return f"{path} was removed" if gone else ""
